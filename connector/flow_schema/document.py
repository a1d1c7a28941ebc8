"""The schema of a flow file as a whole."""

from collections.abc import Mapping

from connector.flow_schema import operations, values
from connector.flow_schema.operations import Offer
from connector.flow_schema.steps import CONNECTION, STEPS, parameters, steps
from connector.flow_schema.values import Schema
from connector.flows.check import (
    CONCURRENCY_KEYS,
    DEDUPE_KEYS,
    FLOW_KEYS,
    MODES,
    MOST_RUNS,
    OF_TRIGGERS,
    TRIGGER_KEYS,
)
from connector.flows.keys import FLOW_NAME, WORD

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def build(triggers: Mapping[str, Offer], actions: Mapping[str, Offer]) -> Schema:
    """The JSON Schema of flows that use these triggers and actions; the same for the same."""
    keys = {**_about(), **_start(triggers), **_body()}
    return {
        "$schema": DRAFT,
        "title": "Flow",
        **values.mapping("A flow of chatforge-connector.", {key: keys[key] for key in FLOW_KEYS}, ("flow", "steps")),
        "if": {"required": ["inputs"]},
        "then": {"properties": dict.fromkeys(("trigger", *OF_TRIGGERS), False)},
        "else": {"required": ["trigger"]},
        "$defs": {
            "steps": steps(actions, triggers),
            **operations.definitions("trigger", triggers),
            **operations.definitions("action", actions),
        },
    }


def _about() -> dict[str, Schema]:
    return {
        "flow": values.word("The name of the flow, one of its folder.", FLOW_NAME, "lower-case letters, digits and -"),
        "description": values.constant("What the flow is for."),
        "enabled": values.boolean("Whether its trigger starts it.", default=True),
        "inputs": parameters("What a person or another flow gives it, instead of a trigger; read as `inputs.NAME`."),
        "config": parameters(
            "Values that differ from installation to installation, set in connections.yaml; read as `config.NAME`."
        ),
    }


def _start(triggers: Mapping[str, Offer]) -> dict[str, Schema]:
    return {
        "trigger": _trigger(triggers),
        "dedupe": _dedupe(),
        "concurrency": _concurrency(),
        "timeout": values.duration("Limit of a whole run, without the time for which it waits or is held."),
        "on_failure": values.constant("A flow with inputs that is started, or a URL, where a run failed or is held."),
    }


def _trigger(triggers: Mapping[str, Offer]) -> Schema:
    keys = {
        "uses": operations.uses("The trigger.", triggers),
        "with": {"description": "The input of the trigger, `name: value` lines.", "type": ["object", "null"]},
        "connection": CONNECTION,
        "if": values.expression("An event starts nothing where it is false.", "trigger.visitor_email != null"),
        "id": values.word("A name for the trigger.", WORD, "lower-case letters, digits and _"),
    }
    told = "What starts the flow; its event is read as `trigger`."
    given = operations.given("trigger", triggers)
    return values.mapping(told, {key: keys[key] for key in TRIGGER_KEYS}, ("uses",), allOf=given)


def _dedupe() -> Schema:
    keys = {
        "key": values.expression("Events with the same value start one run.", "trigger.visitor_email.lower()"),
        "for": values.duration("How long, counted from the last run that started."),
    }
    return values.mapping("At most one run per key.", {key: keys[key] for key in DEDUPE_KEYS}, DEDUPE_KEYS)


def _concurrency() -> Schema:
    keys = {
        "key": values.expression("Runs with the same value count together.", "trigger.agent_id"),
        "mode": values.choice(
            "parallel: `limit` at a time, the others wait; queue: one at a time; single: while one goes on, "
            "others are dropped.",
            MODES,
            "parallel",
        ),
        "limit": values.integer("How many runs go on at a time, in the mode parallel.", MOST_RUNS),
    }
    others = {"properties": {"mode": {"enum": [mode for mode in MODES if mode != "parallel"]}}, "required": ["mode"]}
    return values.mapping(
        "How many runs go on at a time.",
        {key: keys[key] for key in CONCURRENCY_KEYS},
        ("key",),
        **{"if": others, "then": {"properties": {"limit": False}}, "else": {"required": ["limit"]}},
    )


def _body() -> dict[str, Schema]:
    anything: Schema = {"description": "A value; `${{ … }}` may stand in it."}
    return {
        "vars": values.named("Values that are named once, read as `vars.NAME`; each sees those above it.", anything),
        "steps": {"description": "What the flow does, one step after the other.", **STEPS},
        "on_error": {"description": "Steps that run where a step failed or is held; they read `error`.", **STEPS},
        "outputs": {
            "description": "What the flow gives to the flow that calls it; `${{ … }}` may stand in it.",
            "type": "object",
        },
    }
