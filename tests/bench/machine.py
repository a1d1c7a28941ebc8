"""The machine on which the figures were measured: they mean little without it."""

import os
import platform
import re
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryFile

SYNCS = 300
PAGE = 4096  # bytes


def describe(folder: Path) -> Mapping[str, str]:
    """Facts of this machine, and of the disk on which `folder` lies."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    return {
        "processor": f"{found[1] if found else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        "filesystem": find_filesystem(folder),
        "fsync": time_syncs(folder),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def find_filesystem(folder: Path) -> str:
    """Its kind; a figure from one in memory says nothing of commits."""
    place, kind = folder.resolve(), "unknown"
    longest = -1
    for line in _read("/proc/mounts").splitlines():
        _, mounted, found, *_ = line.split()
        if place.is_relative_to(mounted) and len(mounted) > longest:
            kind, longest = found, len(mounted)
    return kind


def time_syncs(folder: Path) -> str:
    """How long it takes until a page that was appended to a file is on the disk."""
    took = []
    with TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(PAGE))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1e3)
    cuts = quantiles(took, n=100)
    return f"{cuts[49]:.2f} ms, 99th percentile {cuts[98]:.2f} ms"


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:  # not Linux
        return ""
