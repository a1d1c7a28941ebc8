"""Evaluates expressions made at random with large and hostile values, in a process with limits.

All values are `any` to the checker, which then refuses little.

python -m flows.evaluate_many FIRST COUNT, in tests/. Prints as JSON how many checked, the characters of the longest
text that came out, the slowest with its seconds, and what ran code.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from flows.made_expressions import LEAVES, Maker

from connector.flows.document import Scalar, Source
from connector.flows.expressions.evaluation import Evaluate
from connector.flows.expressions.narrowing import Known
from connector.flows.expressions.values import MAX_RESULT, EvaluationError
from connector.flows.problems import Report
from connector.flows.slots import Slots
from connector.flows.types import ANY

MEGABYTES = 400
CPU_SECONDS_OF_ONE = 30
# Of https://docs.python.org/3/library/audit_events.html.
FORBIDDEN = ("compile", "exec", "os.", "subprocess.", "socket.", "ctypes.", "pickle.", "shutil.", "import")
SPLINTERS = (
    "'", '"', "\\", "(", ")", "[", "]", ",", ".", "?.", "??", "&&", "||", "!", "-", "==", "in", "null", "1e308", "x",
    "r", "r.s", "__class__", ".exists(x, ", ".map(y, ", "${{", "=>", "\ud800", "9223372036854775807",
)  # fmt: skip
ITEM = {"name": "a" * 1_000, "qty": 1, "tag": None, "nested": [[["x"] * 10] * 10] * 10}
ROOT: dict[str, Any] = {
    "s": "é" * MAX_RESULT,
    "sn": "a,?&=%" * (MAX_RESULT // 6),
    "i": 2**62,
    "inn": None,
    "n": 1e308,
    "b": True,
    "bn": None,
    "yes": True,
    "one": 1,
    "t": "0001-01-01T00:00:00Z",
    "tn": "9999-12-31T23:59:59Z",
    "e": "new",
    "en": None,
    "ls": ["ab" * 50] * 5_000,
    "lsn": [None, "x"] * 20_000,
    "o": ITEM,
    "on": None,
    "lo": [ITEM] * 2_000,
    "m": {str(number): number for number in range(20_000)},
    "mn": {"zz": None},
    "u": {"k": "a", "x": 1, "both": "a"},
    "un": None,
    "si": "\ud800\0",
}
SCOPE = {"r": ROOT, "run": {"started_at": "2026-03-25T10:30:00Z"}}


def texts(first: int, count: int) -> Iterator[str]:
    """Half of them as they are made, half with something put into them or nested in macros."""
    for seed in range(first, first + count):
        random = Random(seed)  # noqa: S311 - a failing seed must fail again
        text = Maker(random).make("any", 3)
        if random.random() < 0.3:
            place = random.randrange(len(text) + 1)
            text = text[:place] + random.choice(SPLINTERS) + text[place + random.randrange(3) :]
        for number in range(random.choice((0, 0, 0, 1, 2, 3))):
            macro = random.choice(("exists", "all", "filter", "map"))
            body = f"({text}) == null" if macro != "map" else text
            text = f"({random.choice((*LEAVES['list'], 'r.lo', 'r.ls'))}).{macro}(v{number}, {body})"
        yield text


def compiled(text: str) -> Evaluate | None:
    node = Scalar(text, text, None, 0, len(text))
    expression = Slots(Source(text), Report("f")).expression(node, Known({"r": ANY, "run": ANY}), ANY)
    return expression.evaluate if expression else None


class Watch:
    """Notes what runs code, or reaches out of the process, while an expression is evaluated."""

    def __init__(self) -> None:
        self.is_on = False
        self.found: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if self.is_on and event.startswith(FORBIDDEN):
            self.found.append(event)

    def evaluate(self, evaluate: Evaluate) -> Any:
        """The value; None where there is none."""
        self.is_on = True
        try:
            return evaluate(SCOPE)
        except EvaluationError:
            return None
        finally:
            self.is_on = False


def main(first: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES * 2**20,) * 2)
    evaluated, longest, slowest = 0, 0, (0.0, "")
    watch = Watch()
    for text in texts(first, count):
        used = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + CPU_SECONDS_OF_ONE, resource.RLIM_INFINITY))
        if (evaluate := compiled(text)) is not None:
            evaluated += 1
            value = watch.evaluate(evaluate)
            longest = max(longest, len(value) if isinstance(value, str) else 0)
        slowest = max(slowest, (time.process_time() - used, text))
    found = {"evaluated": evaluated, "longest": longest, "seconds": slowest[0], "slowest": slowest[1]}
    print(json.dumps({**found, "code": watch.found}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
