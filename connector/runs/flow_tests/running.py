"""Runs tests, and says what differs from what they expect."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector.adapter import Adapter
from connector.flows.flow import Approve, Flow
from connector.flows.paths import find_step, output_type
from connector.flows.samples import sample
from connector.registry import Registry
from connector.runs.events import Decision
from connector.runs.flow_tests.cases import Case, Expectation
from connector.runs.intake import decide_trigger
from connector.runs.pins import without_indexes
from connector.runs.rehearsal import UNPINNED, Outcome, rehearse
from connector.settings import Environment, Settings

MISSING = "nothing"
"""Stands for a value that is not there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`path` is that of `expect`. Without `expected` and `got`, `note` says it all."""

    path: str
    expected: str = ""
    got: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.note or f'{self.expected}, but {self.got}'}"


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test went, and what was not as expected."""

    outcome: Outcome
    differences: Sequence[Difference]


async def run_case(registry: Registry, settings: Settings, flow: Flow, case: Case) -> Trial:
    """How the test goes. Nothing of the environment reaches the flow, and nothing is called."""
    closed = replace(settings, config=case.config, environment=Environment(()))
    async with Adapter(registry, closed, lambda: case.now) as adapter:
        decision = Decision(flow.name, flow, case.given)
        if flow.trigger is not None:
            decision = decide_trigger(adapter, flow, dict(case.given), case.now)
        outcome = await rehearse(adapter, flow, decision, case.pins, case.now)
        return Trial(outcome, [*_unpinned(adapter, flow, outcome)] or [*_compare(case.expect, outcome)])


def _unpinned(adapter: Adapter, flow: Flow, outcome: Outcome) -> Iterator[Difference]:
    """What to write for each step that has no pin."""
    for one in outcome.steps.values():
        if one.error is None or one.error.kind != UNPINNED or one.error.step != one.id:
            continue
        if (step := find_step(flow, one.id)) is None:
            continue
        kind = output_type(step, one.id, adapter.catalogue)
        given = {"approved": True} if isinstance(step.does, Approve) or kind is None else sample(kind, step.id)
        pin = json.dumps({without_indexes(one.id): given}, ensure_ascii=False)
        yield Difference(f"steps.{one.id}", note=f"{one.action} is not done in a test; write its output: pins: {pin}")


def _compare(expect: Expectation, outcome: Outcome) -> Iterator[Difference]:
    run = outcome.run
    got: Mapping[str, Any] = {
        "status": run.status if run else "not_started",
        "reason": run.reason if run else outcome.reason,
        "error": run.error.message if run and run.error else None,
        "outputs": run.outputs if run else None,
    }
    for name in ("status", "reason", "error", "outputs"):
        if (wanted := getattr(expect, name)) is not None:
            yield from differences(name, wanted, got[name])
    for path, step in expect.steps.items():
        found = outcome.steps.get(path)
        seen: Mapping[str, Any] = {
            "status": found.status if found else "not_reached",
            "reason": found.reason if found else None,
            "error": found.error.message if found and found.error else None,
            "input": found.input if found else None,
        }
        for name in ("status", "reason", "error", "input"):
            if (wanted := getattr(step, name)) is not None:
                yield from differences(f"steps.{path}.{name}", wanted, seen[name])


def differences(path: str, expected: Any, got: Any) -> Iterator[Difference]:
    """Of two values, place by place; fields that are not expected do not matter."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for name, wanted in expected.items():
            if name in got:
                yield from differences(f"{path}.{name}", wanted, got[name])
            else:
                yield Difference(f"{path}.{name}", _shown(wanted), MISSING)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (wanted, found) in enumerate(zip(expected, got, strict=True)):
            yield from differences(f"{path}[{index}]", wanted, found)
    elif expected != got or isinstance(expected, bool) != isinstance(got, bool):
        yield Difference(path, _shown(expected), _shown(got) if got is not None or expected is not None else MISSING)


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
