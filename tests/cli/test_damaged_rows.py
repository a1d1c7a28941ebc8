"""What the commands that look at a journal say of a row that this package did not write like that."""

import json
import sqlite3
from contextlib import closing

import pytest
from runs.test_migrations import script

RUN, EVENT = "run_19d248b4440bf8022a198", "evt_19d248b4440d53a01290b"
SAID = "is damaged; restore the database from a backup"


@pytest.fixture
def damage(chatforge, tmp_path):
    """Runs a statement on a journal, whatever its tables allow."""
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        connection.executescript(script("bench-2"))
    assert chatforge("db", "upgrade").code == 0

    def change(statement: str) -> None:
        with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(statement)

    return change


def test_lists_go_on_with_the_other_rows(chatforge, damage):
    damage(f"UPDATE runs SET trigger = '{{' WHERE id = '{RUN}'")  # noqa: S608 - an id of ours
    damage(f"UPDATE events SET received_at = 'soon' WHERE id = '{EVENT}'")  # noqa: S608 - as above
    damage("UPDATE steps SET status = 'odd' WHERE step = 'first' AND status = 'waiting'")
    for kind, one, others in (("runs", RUN, 6), ("events", EVENT, 7)):
        shown = chatforge(kind, "list")
        assert (shown.code, shown.error) == (0, "")
        [line] = [line for line in shown.out.splitlines() if line.startswith(one)]
        assert " ".join(line.split()) == f"{one} damaged damaged: the row with id '{one}' {SAID}"
        listed = json.loads(chatforge(kind, "list", "--json").out)
        assert {"id": one, "status": "damaged", "damaged": f"the row with id '{one}' {SAID}"} in listed
        assert len([row for row in listed if row["status"] != "damaged"]) == others
    assert f"the row with run_id 'run_19d248c2ea02481708daf', step 'first' {SAID}" in chatforge("runs", "list").out


@pytest.mark.parametrize(
    ("statement", "command", "place"),
    [
        ("UPDATE runs SET status = 'odd'", ["runs", "show", RUN], f"id '{RUN}'"),
        ("UPDATE steps SET error = '{}'", ["runs", "show", RUN], f"run_id '{RUN}', step 'ask'"),
        ("UPDATE events SET name = '5'", ["events", "show", EVENT], f"id '{EVENT}'"),
        (
            "UPDATE starts SET run_id = NULL, reason = 'x'",
            ["events", "show", EVENT],
            f"event_id '{EVENT}', flow 'ask'",
        ),
        ("UPDATE revisions SET calls = '[1]'", ["runs", "export", RUN, "--as-test"], "id 'a98a85cc"),
    ],
    ids=["status", "step", "event", "start", "revision"],
)
def test_what_cannot_be_shown_is_refused_with_a_sentence(chatforge, damage, statement, command, place):
    damage(statement)
    result = chatforge(*command)
    assert (result.code, result.out) == (1, "")
    assert result.error.startswith(f"error: the row with {place}")
    assert result.error.endswith(f"{SAID}\n")
