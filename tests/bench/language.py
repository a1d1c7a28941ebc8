"""How long the flow language takes.

Each figure is seconds of the processor: the median over many rounds in this one process, after a first that does not
count.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.figures import Figure
from bench.plan import Plan
from flows.conftest import CATALOGUE

from connector.cli.flow_files import load_flows
from connector.flows import types
from connector.flows.check import check
from connector.flows.document import Scalar, Source
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report
from connector.flows.slots import Expression, Slots
from connector.flows.types import BOOL, INT, STR

US, MS = 1e-6, 1e-3
LOWER = "trigger.visitor_email.lower()"
CONDITION = "trigger.visitor_email != null && trigger.score > 3"
FIELDS = (10, 10_000)
STEPS = 10
FILES = 1_000


def figure(what: str, seconds: float, most: float) -> Figure:
    """In the unit that suits what is promised, `most` seconds."""
    unit, name = next(pair for pair in ((1.0, "s"), (MS, "ms"), (US, "µs")) if most >= pair[0])
    return Figure(what, [seconds / unit], name, most / unit)


def time_of(work: Callable[[], Any], times: int, rounds: int = 21) -> float:
    """The seconds of the processor that `work` takes: the median of rounds, each the mean of so many `times`."""
    seconds = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        for _ in range(times):
            work()
        seconds.append((time.process_time() - begun) / times)
    return median(seconds[1:])


def compiled(text: str, wanted: types.Type) -> Expression:
    known = Known({"trigger": CATALOGUE.triggers["crm.lead"].output, "steps": types.record("steps", {"n": INT})})
    report = Report("bench")
    narrowed = known.given(None).proving(("trigger", "visitor_email"))
    found = Slots(Source(text), report).expression(Scalar(text, text, None, 0, len(text)), narrowed, wanted)
    assert found is not None, report.problems()
    return found


def event(fields: int) -> dict[str, Any]:
    other = {f"field_{number}": number for number in range(fields - 2)}
    return {"visitor_email": "Ann@Example.com", **other, "score": 7}


def flow_text(name: str) -> str:
    """A flow of ten steps, in which each reads those before it."""
    lines = [f"flow: {name}", "trigger: {uses: crm.lead, if: trigger.visitor_email != null}", "steps:"]
    for number in range(STEPS):
        before = f"${{{{ steps.s{number - 1}?.id ?? trigger.agent_id }}}}" if number else "${{ trigger.agent_id }}"
        lines += [
            f"- id: s{number}",
            f"  if: trigger.score > {number} && trigger.visitor_name != null",
            "  uses: crm.upsert",
            "  with:",
            "    email: ${{ trigger.visitor_email.lower() }}",
            f"    name: Hi ${{{{ trigger.visitor_name }}}}, {before}",
            "    properties: {source: '${{ trigger.source }}', pages: '${{ size(trigger.pages) }}'}",
            "  retry: {max_attempts: 4, delay: 2s}",
        ]
    return "\n".join(lines)


def of_evaluation() -> list[Figure]:
    found = []
    for what, text, wanted in (("a field in lower case", LOWER, STR), ("a condition of two parts", CONDITION, BOOL)):
        evaluate = compiled(text, wanted).evaluate
        for fields in FIELDS:
            scope = {"trigger": event(fields), "steps": {}, "status": {}, "run": {}, "vars": {}, "config": {}}
            seconds = time_of(lambda evaluate=evaluate, scope=scope: evaluate(scope), 5_000)  # type: ignore[misc]
            found.append(figure(f"{what}, of an event of {fields:,} fields", seconds, 2 * US))
    return found


def time_of_files() -> float:
    with TemporaryDirectory() as folder:
        for number in range(FILES):
            Path(folder, f"f{number}.yaml").write_text(flow_text(f"f{number}"), "utf-8")
        return time_of(lambda: load_flows(Path(folder), CATALOGUE), 1, 1)


def of_checks() -> list[Figure]:
    text = flow_text("bench")
    assert check(text, "bench.yaml", CATALOGUE).flow is not None
    return [
        figure("reading and checking an expression", time_of(lambda: compiled(CONDITION, BOOL), 200), 200 * US),
        figure(f"checking a flow of {STEPS} steps", time_of(lambda: check(text, "f", CATALOGUE), 3), 15 * MS),
        figure(f"checking {FILES:,} such files", time_of_files(), 10.0),
    ]


async def measure(_plan: Plan) -> list[Figure]:
    return [*of_evaluation(), *of_checks()]
