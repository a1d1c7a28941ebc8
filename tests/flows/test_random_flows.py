"""A flow that checks clean does not fail for a name, a type or a missing input (L3).

Flows are grown at random, step by step, from parts that hold tempting mistakes; what checks clean runs with outputs
made from the declared types, and its inputs are read by the real models. A failing seed is in the message.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel

from connector.flows.catalogue import Catalogue
from connector.flows.check import Checked
from connector.flows.expressions.functions import as_time
from connector.flows.flow import Call, Flow, Step
from connector.flows.types import Type
from connector.validation import read

MakeValue = Callable[[Type, Random], Any]

CONDITIONS = (
    "trigger.visitor_email != null",
    "trigger.score > 3",
    "steps.{} != null",
    "steps.{}?.conversation != null",
    "steps.{}.created",
    "steps.{}?.created == true",
    "status.{} == 'succeeded'",
    "status.{} != 'failed'",
    "!(steps.{} == null || trigger.visitor_name == null)",
    "steps.{}?.owner == null",
    "(trigger.visitor_email != null || trigger.visitor_name != null)",
    "trigger.pages.exists(p, p.title != null && trigger.visitor_name != null)",
    "trigger.pages.all(p, p.title == null || size(p.title) < 9)",
    "trigger.pages.exists(trigger, trigger.title == null)",
    "trigger.tags.exists(t, t == trigger.visitor_name.lower())",
    "steps.{}.history.exists(h, h.kind == 'card')",
    "age(trigger.captured_at) < 900",
    "within(run.started_at, 'Mon-Fri 09:00-17:00', 'Europe/Berlin')",
    "(int(trigger.visitor_phone ?? '') ?? 0) > 3",
    "url_host(trigger.pages[0]?.url ?? '') == 'example.com'",
)
TEXTS = (
    "x",
    "${{{{ trigger.visitor_email }}}}",
    "${{{{ trigger.visitor_name ?? 'x' }}}}",
    "${{{{ steps.{}.id }}}}",
    "${{{{ steps.{}?.id ?? 'x' }}}}",
    "${{{{ steps.{}.conversation.id }}}}",
    "${{{{ steps.{}.conversation?.id ?? trigger.agent_id }}}}",
    "${{{{ steps.{}.owner }}}}",
    "${{{{ steps.{}.owner ?? status.{} }}}}",
    "${{{{ trigger.pages[0]?.title }}}}",
    "${{{{ trigger.pages[0].url }}}}",
    "Hi ${{{{ trigger.score }}}} ${{{{ steps.{}.id }}}}",
    "${{{{ trigger.score }}}}",
    "${{{{ trigger.labels.vip ?? 'none' }}}}",
    "${{{{ steps.{}.method.kind }}}}",
    "${{{{ steps.{}.method['iban'] ?? 'x' }}}}",
    "${{{{ steps.{}.history[0]?.kind ?? 'x' }}}}",
    "${{{{ error.message }}}}",
    "${{{{ steps.{}.transport }}}}",
    "${{{{ steps.{}.content }}}}",
    "${{{{ first(steps.{}.content.parts ?? []) ?? steps.{}.content }}}}",
    "${{{{ steps.{}.content.size[0] ?? 7 }}}}",
    "${{{{ join(trigger.tags, ', ') }}}}",
    "${{{{ join(trigger.pages.map(p, p.title), ', ') }}}}",
    "${{{{ join(trigger.pages.filter(p, p.title != null).map(p, p.title), ', ') }}}}",
    "${{{{ trigger.pages.filter(p, p.title != null)[0]?.title ?? 'x' }}}}",
    "${{{{ first(steps.{}.history.filter(h, h.kind == 'bank'))?.kind ?? 'x' }}}}",
    "${{{{ format_time(trigger.captured_at, '%d.%m.%Y', 'Europe/Berlin') }}}}",
    "${{{{ format_time(run.started_at, trigger.agent_id) }}}}",
    "${{{{ json(trigger) }}}} ${{{{ json(steps.{}) }}}}",
    "${{{{ url_query(trigger.pages[0]?.url ?? '').utm_source ?? 'x' }}}}",
    "${{{{ url_host(trigger.agent_id) }}}}",
    "${{{{ url_encode(trigger.visitor_name ?? '') }}}}",
    "${{{{ default(trigger.visitor_name, trigger.agent_id).split(' ')[0] ?? 'x' }}}}",
    "${{{{ number(trigger.visitor_phone ?? '') ?? 0 }}}}",
    "${{{{ int(trigger.score / 2) }}}}",
    "${{{{ age(trigger.captured_at) }}}}",
)


OPERATIONS = (
    ("crm.upsert", "{{email: {}, name: {}, phone: {}}}"),
    ("crm.upsert", "{{email: {}, rating: {}, stage: {}, properties: {{a: {}, b: [{}]}}}}"),
    ("crm.find", "{{agent_id: {}}}"),
    ("crm.find", "{{agent_id: {}, captured_at: '${{{{ trigger.captured_at }}}}', max_pages: {}}}"),
    ("crm.send", "{{conversation_id: {}, content: {}, lines: [{{text: {}, amount: {}}}]}}"),
    ("crm.send", "{{conversation_id: {}, content: {}, options: {{colour: {}}}}}"),
    ("crm.payment", "{{}}"),
    (
        "crm.order",
        "{{transport: {{kind: express, address: {}}}, content: {{name: {}, size: [{}, 1], parts: [{{name: {}}}]}}}}",
    ),
    ("crm.order", "{{transport: {}, content: {}, limits: {{weight: {}}}}}"),
)


class Gardener:
    """Grows a flow: tries steps at random and keeps those with which it still checks clean."""

    def __init__(self, random: Random, check_text: Callable[[str], Checked]) -> None:
        self.random = random
        self.check_text = check_text
        self.ids = ["s0"]
        self.lines = ["flow: made", "trigger:", "  uses: crm.lead"]
        if random.random() < 0.5:
            self.lines.append(f"  if: {random.choice(CONDITIONS[:2])}")

    def grow(self) -> str:
        self.lines += ["steps:", "- {id: s0, uses: crm.find, with: {agent_id: x}}"]
        self._try(12)
        self.lines.append("on_error:")
        on_error = len(self.lines)
        self._try(6)
        if len(self.lines) == on_error:
            self.lines.pop()
        for _ in range(6):
            if self._keep([f"outputs: {{a: {self._text()}}}"]):
                break
        return "\n".join(self.lines)

    def _try(self, times: int) -> None:
        for _ in range(times):
            step = self._step(f"s{len(self.ids)}")
            if self._keep([f"{'- ' if key == 'id' else '  '}{key}: {value}" for key, value in step.items()]):
                self.ids.append(step["id"])

    def _keep(self, lines: list[str]) -> bool:
        kept = self.check_text("\n".join([*self.lines, *lines])).flow is not None
        self.lines += lines if kept else []
        return kept

    def _fill(self, pattern: str) -> str:
        return pattern.format(*self.random.choices(self.ids, k=2))

    def _text(self) -> str:
        return json.dumps(self._fill(self.random.choice(TEXTS)))

    def _step(self, step_id: str) -> dict[str, str]:
        uses, pattern = self.random.choice(OPERATIONS)
        keys = {"id": step_id, "uses": uses, "with": pattern.format(*(self._text() for _ in range(5)))}
        chosen = [self._fill(self.random.choice(CONDITIONS)) for _ in range(self.random.choice((0, 1, 1, 2)))]
        if chosen:
            keys["if"] = json.dumps(" && ".join(chosen))
        unsure = {"continue_on_error": "true", "not_after": "trigger.captured_at"}
        return keys | {key: value for key, value in unsure.items() if self.random.random() < 0.1}


def call_of(step: Step) -> Call:
    assert isinstance(step.does, Call)
    return step.does


class Simulation:
    """Runs a flow as the interpreter does, with outputs made from the types and failures at random."""

    def __init__(
        self,
        catalogue: Catalogue,
        models: Mapping[str, tuple[type[BaseModel], type[BaseModel]]],
        make_value: MakeValue,
    ) -> None:
        self.catalogue = catalogue
        self.models = models
        self.make_value = make_value

    def run(self, flow: Flow, random: Random) -> None:
        trigger = self.make_value(self.catalogue.triggers[flow.started_by.uses].output, random)
        scope: dict[str, Any] = {"trigger": trigger}
        if flow.started_by.condition and not flow.started_by.condition.evaluate(scope):
            return
        if flow.dedupe:
            flow.dedupe.key.evaluate(scope)
        run = {"id": "r1", "flow": flow.name, "started_at": "2026-03-25T10:30:00Z"}
        scope |= {"run": run, "steps": {}, "status": {}}
        if failed := self._steps(flow.steps, scope, random):
            scope["error"] = {"step": failed, "action": "a", "message": "m", "kind": "held", "attempts": 1}
            self._steps(flow.on_error, scope, random)
        elif flow.outputs:
            flow.outputs.render(scope)

    def _steps(self, steps: Sequence[Step], scope: dict[str, Any], random: Random) -> str | None:
        """The id of the step that ended them, if one did."""
        for step in steps:
            status = self._step(step, scope, random)
            call = call_of(step)
            operation = self.catalogue.actions[call.uses]
            output = self.make_value(operation.output, random) if status == "succeeded" else None
            scope["steps"][step.id], scope["status"][step.id] = output, status
            if status == "held" or (status == "failed" and not call.continue_on_error):
                return step.id
        return None

    def _step(self, step: Step, scope: dict[str, Any], random: Random) -> str:
        if step.condition and not step.condition.evaluate(scope):
            return "skipped"
        if step.not_after and as_time(step.not_after.evaluate(scope)) and random.random() < 0.3:
            return "skipped"
        read(self.models[call_of(step).uses][0], call_of(step).input.render(scope))
        return random.choice(("succeeded",) * 6 + ("failed", "held"))


@pytest.fixture
def simulation(
    catalogue: Catalogue, models: Mapping[str, tuple[type[BaseModel], type[BaseModel]]], make_value: MakeValue
) -> Simulation:
    return Simulation(catalogue, models, make_value)


def try_flow(seed: int, check_text: Callable[[str], Checked], simulation: Simulation) -> int:
    """Runs the flow of this seed several times; the number of its steps."""
    random = Random(seed)  # noqa: S311 - a failing seed must fail again
    text = Gardener(random, check_text).grow()
    flow = check_text(text).flow
    assert flow is not None
    for _ in range(10):
        try:
            simulation.run(flow, random)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}\n{text}") from error
    return len(flow.steps) + len(flow.on_error)


def test_random_flows_that_check_run(check_text: Callable[[str], Checked], simulation: Simulation) -> None:
    assert sum(try_flow(seed, check_text, simulation) for seed in range(60)) > 120


@pytest.mark.torture
def test_many_random_flows_that_check_run(check_text: Callable[[str], Checked], simulation: Simulation) -> None:
    assert sum(try_flow(seed, check_text, simulation) for seed in range(1_000, 4_000)) > 6_000
