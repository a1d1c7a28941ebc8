"""docs/database.md shows what the commands print."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from runs.test_migrations import script

PAGE = (Path(__file__).parents[2] / "docs" / "database.md").read_text()


def block(command: str) -> str:
    """What the page shows below the command."""
    found = re.search(rf"```console\n\$ {re.escape(command)}\n(.*?)```", PAGE, re.DOTALL)
    assert found, command
    return found[1]


def without_place(text: str) -> str:
    text = re.sub(r"SQLite [\d.]+|Postgres [\d.]+", "SERVER", re.sub(r"\S*\.sqlite|postgresql://\S+", "PLACE", text))
    return " ".join(text.split())


def test_commands_print_what_the_page_shows(chatforge, tmp_path):
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        connection.executescript(script("bench-2"))
    for command in ("db upgrade", "db check"):
        result = chatforge(*command.split())
        assert without_place(result.out) == without_place(block(f"chatforge {command}"))
    shown = block("chatforge db copy sqlite:///chatforge.sqlite postgresql://chatforge@db.internal/chatforge")
    copied = chatforge("db", "copy", "sqlite:///runs.sqlite", "sqlite:///new.sqlite")
    assert without_place(copied.out) == without_place(shown)
