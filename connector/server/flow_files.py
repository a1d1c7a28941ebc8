"""Flow files that are served: each as it is now, and the last revision of its flow that could be served."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connector.flows.flow import Flow
from connector.flows.problems import Problem
from connector.validation import replace_surrogates


@dataclass(frozen=True, slots=True)
class FlowFile:
    """`flow` is None where the file has problems or a fault; once it is served, the last one that had none."""

    path: str
    source: str
    flow: Flow | None
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    """Where a value of any type is looked at only when the flow runs."""
    fault: str | None = None
    """Why a flow without problems cannot be served, such as what its connection lacks."""

    @property
    def name(self) -> str:
        """That of the file in its folder, with U+FFFD for what is not UTF-8."""
        return replace_surrogates(Path(self.path).name)

    @property
    def why(self) -> str | None:
        """Why the file as it is now is not served."""
        if not self.problems:
            return self.fault
        first, more = self.problems[0], len(self.problems) - 1
        rest = f", and {more} more problem{'s' if more > 1 else ''}" if more else ""
        return f"line {first.line}: {first.message}{rest}"


@dataclass(frozen=True, slots=True)
class FlowFiles:
    """Where flows come from. `read` checks all files, and raises ConnectorError where there are none.

    What `stamp` returns changes with the files, and is cheap. `first` is what they were at first, and `stamped` what
    `stamp` had returned before.
    """

    read: Callable[[], Sequence[FlowFile]]
    stamp: Callable[[], object]
    first: Sequence[FlowFile]
    stamped: object


def keep_last(before: Iterable[FlowFile], now: Sequence[FlowFile]) -> list[FlowFile]:
    """The files as they are now; one that cannot be served keeps the flow that it had, unless another one has its name.

    A file that is gone takes its flow with it.
    """
    last = {one.path: one.flow for one in before}
    taken = {one.flow.name for one in now if one.flow}
    kept = []
    for one in now:
        flow = one.flow or last.get(one.path)
        if one.flow is None and flow is not None and flow.name in taken:
            flow = None
        kept.append(replace(one, flow=flow))
    return kept


def flows_of(files: Iterable[FlowFile]) -> list[Flow]:
    return [one.flow for one in files if one.flow is not None]
