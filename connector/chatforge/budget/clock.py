"""The clock of the budget: seconds since the machine was started, which all its processes agree on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of the clock."""

    now: float
    """Seconds of the budget's clock."""
    utc: float
    """Seconds since 1970."""
    boot: str
    """Another one after a reboot, where the machine tells."""


def read_boot_clock() -> float:
    """Seconds since the machine was started; goes on while it sleeps, where there is such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def read_boot_id() -> str:
    """Names the time since the machine was started; empty where it does not tell."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the budget takes the time from.

    `speed` says how many times faster than the timers of the event loop the two clocks run.
    """

    seconds: Callable[[], float] = read_boot_clock
    utc: Callable[[], float] = time.time
    boot: str = ""
    speed: float = 1.0

    def read(self) -> Moment:
        return Moment(self.seconds(), self.utc(), self.boot)

    def date(self) -> datetime:
        return datetime.fromtimestamp(self.utc(), UTC)


def machine_clock() -> Clock:
    """The clock that all processes of this machine share."""
    return Clock(boot=read_boot_id())
