"""What a check found, and what becomes of the checks after one that failed."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connector.errors import ConnectorError

Status = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `error` is the kind of error that a failure stands for."""

    check: str
    status: Status
    detail: str
    next_step: str | None = None
    connection: str | None = None
    error: type[ConnectorError] = ConnectorError

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "connection": self.connection,
            "status": self.status,
            "detail": self.detail,
            "next_step": self.next_step,
        }


Findings = Iterator[Finding]
Say = Callable[[str], None]
"""Is told what is waited for."""


class CheckError(Exception):
    """A check failed; `lacking` says why those that come after it are skipped."""

    def __init__(self, finding: Finding, lacking: str = "") -> None:
        super().__init__(finding.detail)
        self.finding, self.lacking = finding, lacking


def ok(check: str, detail: str) -> Finding:
    return Finding(check, "ok", detail)


def warn(check: str, detail: str, step: str) -> Finding:
    return Finding(check, "warn", detail, step)


def fail(check: str, detail: str, step: str, error: type[ConnectorError] = ConnectorError) -> Finding:
    return Finding(check, "fail", detail, step, error=error)


def fail_with(error: ConnectorError, check: str, step: str) -> Finding:
    """The sentence of an error is what is wrong, and after its last semicolon what to do; else that is `step`."""
    detail, _, own = str(error).rpartition("; ")
    return fail(check, detail or own, own if detail else step, type(error))


def skip(check: str, reason: str) -> Finding:
    return Finding(check, "skip", reason)


def skip_all(checks: Sequence[str], reason: str) -> Findings:
    return (skip(check, reason) for check in checks)


def skip_after_failure(checks: Sequence[str], findings: Findings) -> Generator[Finding, None, dict[str, Status]]:
    """Pass on what was found, up to a CheckError; from there on the rest of `checks` is skipped.

    Returns the status of each check.
    """
    statuses: dict[str, Status] = {}
    try:
        for finding in findings:
            statuses[finding.check] = finding.status
            yield finding
    except CheckError as error:
        rest = checks[checks.index(error.finding.check) + 1 :]
        for finding in (error.finding, *skip_all(rest, error.lacking)):
            statuses[finding.check] = finding.status
            yield finding
    return statuses
