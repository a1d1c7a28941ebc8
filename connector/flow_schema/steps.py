"""The schemas of steps: what all have, and what each kind has."""

from collections.abc import Mapping

from connector.flow_schema import operations, values
from connector.flow_schema.operations import Offer
from connector.flow_schema.values import Schema
from connector.flows.calls import (
    CALL_KEYS,
    DEFAULT_TIMEOUT,
    FLOW,
    MOST_AT_ONCE,
    MOST_ATTEMPTS,
    OF_ACTIONS,
    ON_AMBIGUOUS,
    RETRY_KEYS,
)
from connector.flows.controls import APPROVE_KEYS, ON_TIMEOUT, SWITCH_KEYS, WAIT_FOR_KEYS, WAIT_KEYS
from connector.flows.durations import render
from connector.flows.expressions.tree import RESERVED
from connector.flows.flow import Retry
from connector.flows.keys import FLOW_NAME, WORD
from connector.flows.steps import KINDS, STEP_KEYS
from connector.flows.type_texts import EXPECTED

STEPS: Schema = {"$ref": "#/$defs/steps"}
CONNECTION = values.constant("The account to use, by its name in connections.yaml; `default` without it.")


def steps(actions: Mapping[str, Offer], triggers: Mapping[str, Offer]) -> Schema:
    """A list of steps."""
    step = {**_all_steps(), **_call(actions), **_controls(triggers)}
    return {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "title": "Step",
            "description": "One of " + ", ".join(KINDS) + ".",
            "properties": {key: step[key] for key in dict.fromkeys([*STEP_KEYS, *CALL_KEYS, *KINDS])},
            "required": ["id"],
            "additionalProperties": False,
            "anyOf": [{"required": [kind]} for kind in KINDS],
            "dependentRequired": {key: ["uses"] for key in CALL_KEYS if key != "uses"} | {"max_parallel": ["for_each"]},
            "allOf": [*_one_kind(), *operations.given("action", actions), _call_of_flow()],
        },
    }


def _one_kind() -> list[Schema]:
    """As the checker, it is the second kind that is refused: an editor then marks its key alone."""
    kinds = [*KINDS]
    return [
        {"if": {"required": [kind]}, "then": {"properties": dict.fromkeys(kinds[number:], False)}}
        for number, kind in enumerate(kinds[:-1], 1)
    ]


def _all_steps() -> dict[str, Schema]:
    told = "The name by which later steps read its output, as `steps.ID`."
    return {
        "id": {
            **values.word(told, WORD, "lower-case letters, digits and _"),
            "not": {"enum": sorted(RESERVED)},
        },
        "name": values.constant("What people call the step."),
        "if": values.expression("The step is skipped where it is false.", "steps.contact.created"),
        "not_after": values.expression(
            "The step is skipped after this time.", "add_duration(trigger.captured_at, '15m')"
        ),
    }


def _call(actions: Mapping[str, Offer]) -> dict[str, Schema]:
    flow = {
        "type": "string",
        "pattern": f"^{FLOW.replace('.', '[.]')}{FLOW_NAME}$",
        "description": "Another flow of the folder.",
    }
    told = "The action to call, or `flow.NAME` for another flow of the folder, which has `inputs`."
    return {
        "uses": {"description": told, "anyOf": [operations.uses("An action.", actions), flow]},
        "with": {"description": "The input, `name: value` lines.", "type": ["object", "null"]},
        "connection": CONNECTION,
        "for_each": values.expression(
            "The call is made for each item of this list, which is `item` in it, with its number as `index`.",
            "steps.page.leads",
        ),
        "max_parallel": values.integer("How many calls of `for_each` go on at a time.", MOST_AT_ONCE, 1),
        "retry": _retry(),
        "timeout": values.duration(f"Limit of one attempt; {render(DEFAULT_TIMEOUT)} without it."),
        "continue_on_error": values.boolean("Whether the flow goes on where the step fails.", default=False),
        "on_ambiguous": values.choice(
            "What to do where nobody knows whether a call that acts once took effect.", ON_AMBIGUOUS, "hold"
        ),
        "idempotency_key": values.text("The key by which the other side recognises a call that is made again."),
    }


def _retry() -> Schema:
    standard = Retry()
    keys = {
        "max_attempts": values.integer("How often it is tried at most.", MOST_ATTEMPTS, standard.max_attempts),
        "delay": values.duration(f"The pause before the second attempt; {render(standard.delay)} without it."),
        "max_delay": values.duration(f"The longest pause; {render(standard.max_delay)} without it."),
        "until": values.expression("Try again while it is false, with the output as `output`.", "output.lead != null"),
    }
    return values.mapping(
        "How often a failed call is tried again; pauses double.", {key: keys[key] for key in RETRY_KEYS}
    )


def _call_of_flow() -> Schema:
    """The keys that its own steps have are not those of the call."""
    return {
        "if": {"properties": {"uses": {"pattern": f"^{FLOW.replace('.', '[.]')}"}}, "required": ["uses"]},
        "then": {"properties": dict.fromkeys(OF_ACTIONS, False)},
    }


def _controls(triggers: Mapping[str, Offer]) -> dict[str, Schema]:
    until = values.expression("The time to wait for.", "add_duration(trigger.captured_at, '1d')")
    return {
        "wait": {
            "description": "Waits so long, or until a time.",
            "anyOf": [
                values.duration("How long."),
                values.mapping("Until a time.", dict.fromkeys(WAIT_KEYS, until), WAIT_KEYS),
            ],
        },
        "wait_for": _wait_for(triggers),
        "approve": _approve(),
        "switch": _switch(),
        "stop": values.text("Ends the run as succeeded, for this reason."),
    }


def _wait_for(triggers: Mapping[str, Offer]) -> Schema:
    keys = {
        "uses": operations.uses("The trigger that wants the event.", triggers),
        "with": {"description": "The input of the trigger, `name: value` lines.", "type": ["object", "null"]},
        "connection": CONNECTION,
        "match": values.expression("Whether the event, `event`, is the one.", "event.lead_id == trigger.lead_id"),
        "timeout": values.duration("How long to wait; the output is null then."),
    }
    return values.mapping(
        "Waits for an event.",
        {key: keys[key] for key in WAIT_FOR_KEYS},
        ("uses", "match", "timeout"),
        allOf=operations.given("trigger", triggers),
    )


def _approve() -> Schema:
    keys = {
        "title": values.text("What is asked."),
        "form": parameters("Fields that are answered too."),
        "notify": {"description": "Steps that run first and tell somebody of `approve.url`.", **STEPS},
        "timeout": values.duration("How long to wait; without it until somebody answers."),
        "on_timeout": values.choice("What the end of `timeout` means.", ON_TIMEOUT, "reject"),
    }
    return values.mapping("Waits for a person's answer.", {key: keys[key] for key in APPROVE_KEYS}, ("title",))


def _switch() -> Schema:
    cases = {"description": "For each value its steps.", "type": "object", "additionalProperties": STEPS}
    keys = {
        "on": values.expression("What the values of `cases` are compared with.", "trigger.source"),
        "cases": cases,
        "default": {"description": "The steps for all other values.", **STEPS},
    }
    return values.mapping("Runs the steps of one case.", {key: keys[key] for key in SWITCH_KEYS}, ("on", "cases"))


def parameters(description: str) -> Schema:
    """Typed values that come from outside, by name."""
    keys = {
        "type": values.constant(f"Its type: {EXPECTED.removeprefix('expected ')}."),
        "default": {"description": "The value where none is given; without it one must be."},
        "description": values.constant("What it means."),
    }
    return values.named(description, values.mapping("A typed value.", keys, ("type",)))
