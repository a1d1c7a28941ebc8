"""How long things take: python -m bench [PART …], in tests/. Exits with 1 where a promise is missed.

Prints a table and writes it as JSON. Everything is real: processes of `chatforge serve`, signed webhooks and calls over
loopback, synced commits. The figures of a machine that does other work meanwhile are worth little; ratios are worth
more, since what they compare was measured in turn.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir

import uvloop
from bench import figures, history, intake, language, latency, machine, process, runs
from bench.figures import Figure
from bench.plan import Plan

PARTS: Mapping[str, Callable[[Plan], Awaitable[list[Figure]]]] = {
    "language": language.measure,
    "runs": runs.measure,
    "postgres": runs.measure_on_postgres,
    "latency": latency.measure,
    "intake": intake.measure,
    "process": process.measure,
    "history": history.measure,
}


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure how long things take.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all unless given")
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement (3); the median counts")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="the file to write (bench.json)")
    parser.add_argument("--folder", type=Path, default=Path(gettempdir()), help="for databases, on the disk to measure")
    parser.add_argument("--divide", type=int, default=1, help="all counts by this number, to see that it works (1)")
    found = parser.parse_args(arguments)
    if unknown := [part for part in found.parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return found


def plan_of(wanted: argparse.Namespace) -> Plan:
    plan = Plan(wanted.folder, wanted.repeats)
    counts = ("warm_up", "runs", "latency_runs", "intake", "paced_intake", "history", "memory_runs")
    fewer = {name: max(1, getattr(plan, name) // wanted.divide) for name in counts}
    return replace(plan, **fewer, idle_seconds=plan.idle_seconds / wanted.divide)


def main(arguments: Sequence[str] | None = None) -> int:
    wanted = read_arguments(arguments)
    plan = plan_of(wanted)
    facts = machine.describe(plan.folder)
    print(*(f"{name:<14}{fact}" for name, fact in facts.items()), sep="\n")
    found: dict[str, list[Figure]] = {}
    for part in wanted.parts or PARTS:
        found[part] = uvloop.run(PARTS[part](plan))
        print(*figures.lines(part, found[part]), sep="\n", flush=True)
        figures.write(wanted.json, facts, found)
    return 1 if any(figure.is_missed for part in found.values() for figure in part) else 0


if __name__ == "__main__":
    sys.exit(main())
