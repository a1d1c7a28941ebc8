"""What the tests in real hosts saw, for the table of docs/hosts.md."""

import json
from pathlib import Path

RESULTS = Path(__file__).parents[2] / ".hosts" / "results.jsonl"


def record(host: str, cell: str, outcome: str) -> None:
    """Called at the end of a test, when what the cell says was seen."""
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps({"host": host, "cell": cell, "outcome": outcome}) + "\n")
