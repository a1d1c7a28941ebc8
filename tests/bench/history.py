"""What a long history costs: runs beside it, and the commands that list them."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import PIPE, run
from tempfile import TemporaryDirectory
from typing import Any

from bench import past
from bench.figures import Figure
from bench.plan import Plan
from bench.processes import prepare
from bench.trial import trial

from connector.runs.journal import Journal
from connector.sqlite import read_file

SHARE = 0.9
COMMAND = 100  # milliseconds of its work, without the start of Python and imports
LISTS: Mapping[str, Mapping[str, str]] = {
    "runs list": {},
    "runs list --status held": {"status": "held"},
    "runs list --flow rare": {"flow": past.RARE},
}
TIMED = """\
import sys, time
from connector.cli.app import run
begun = time.perf_counter()
try:
    run(sys.argv[1:])
finally:
    print((time.perf_counter() - begun) * 1e3, file=sys.stderr)
"""


async def measure(plan: Plan) -> list[Figure]:
    with TemporaryDirectory(prefix="bench-", dir=plan.folder) as folder:
        begun = time.monotonic()
        past.make(Path(folder, "runs.sqlite"), plan.history, plan.held)
        print(f"made {plan.history:,} finished runs in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        lists = [figure for what, where in LISTS.items() for figure in _commands(plan, Path(folder), what, where)]
        pairs = [(await _rate(plan, Path(folder)), await _rate(plan, None)) for _ in range(plan.repeats)]
    shares = [long / empty for long, empty in pairs]
    beside = f"runs beside {plan.history:,} finished ones"
    return [
        Figure(beside, [long for long, _ in pairs], "/s"),
        Figure(f"{beside}, against an empty database", shares, "", SHARE, at_least=True),
        *lists,
    ]


async def _rate(plan: Plan, folder: Path | None) -> float:
    """Runs a second."""
    async with trial(plan, folder=folder) as one:
        seconds, _ = await one.run(plan.runs)
        await one.settle()  # the next server on this database would go on with what is left
        return plan.runs / seconds


def _commands(plan: Plan, folder: Path, what: str, where: Mapping[str, str]) -> list[Figure]:
    """A query, the command without the start of Python, and the whole command; in milliseconds."""
    environment = prepare(folder, "http://127.0.0.1:9", None)
    options = [part for name, value in where.items() for part in (f"--{name}", value)]
    arguments = ["runs", "list", *options]
    query = [_time_query(folder, where) for _ in range(plan.repeats)]
    work = [_time_work(folder, environment, arguments) for _ in range(plan.repeats)]
    whole = [_time_of(lambda: _chatforge(folder, environment, arguments)) for _ in range(plan.repeats)]
    return [
        Figure(f"chatforge {what}, its query alone", query, "ms"),
        Figure(f"chatforge {what}, without the start of Python", work, "ms", COMMAND),
        Figure(f"chatforge {what}, the whole command", whole, "ms"),
    ]


def _time_query(folder: Path, where: Mapping[str, Any]) -> float:
    return _time_of(lambda: read_file(folder / "runs.sqlite", lambda found: Journal(found).runs(20, **where)))


def _time_work(folder: Path, environment: Mapping[str, str], arguments: list[str]) -> float:
    command = [sys.executable, "-c", TIMED, *arguments]
    done = run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return float(done.stderr.splitlines()[-1])


def _chatforge(folder: Path, environment: Mapping[str, str], arguments: list[str]) -> None:
    run([sys.executable, "-m", "connector", *arguments], cwd=folder, env=environment, check=True, stdout=PIPE)


def _time_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3
