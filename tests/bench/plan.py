"""How much is measured."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """How many of each, and where. Rates are per second."""

    folder: Path
    """For databases; its disk is what the commits wait for."""
    repeats: int = 3
    database_url: str | None = None
    """The database of the server; None: a new SQLite file for each repetition."""
    connections: int = 50
    """On which webhooks are sent at the same time."""
    warm_up: int = 300
    """Runs that are not measured, after each start of a process."""
    runs: int = 5_000
    latency_rate: float = 100
    latency_runs: int = 1_000
    intake: int = 10_000
    intake_rate: float = 500
    paced_intake: int = 5_000
    history: int = 1_000_000
    """Finished runs that are in the database already."""
    held: int = 12
    """Of them; so few that a look for 20 of them cannot stop early."""
    idle_seconds: float = 20
    memory_runs: int = 50_000
