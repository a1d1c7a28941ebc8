"""The flows that runs are pinned to: their texts, and those of the flows that they call."""

import json

from connector.database import Connection, Row
from connector.flows.calls import NoFlow
from connector.flows.catalogue import Catalogue
from connector.flows.check import check
from connector.flows.flow import Flow
from connector.runs.journal import DamagedRowError, undamaged


def keep(connection: Connection, flow: Flow) -> None:
    """Keep the text of the flow and of those that it calls. In the caller's transaction."""
    calls = {name: called.revision for name, called in flow.calls.items()}
    kept = connection.execute(
        "INSERT INTO revisions (id, flow, source, calls) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (flow.revision, flow.name, json.dumps(flow.source), json.dumps(calls)),
    )
    for called in flow.calls.values() if kept.rowcount else ():
        keep(connection, called)


def load(connection: Connection, revision: str, catalogue: Catalogue) -> Flow | str:
    """The flow, or why it no longer checks. Raises DamagedRowError, also where it is not there."""
    return _load(connection, revision, catalogue, {})


def _load(connection: Connection, revision: str, catalogue: Catalogue, known: dict[str, Flow | str]) -> Flow | str:
    """`known` are those that were loaded already: several flows may call one."""
    if revision not in known:
        known[revision] = _check(connection, revision, catalogue, known)
    return known[revision]


def _check(connection: Connection, revision: str, catalogue: Catalogue, known: dict[str, Flow | str]) -> Flow | str:
    row = connection.execute("SELECT * FROM revisions WHERE id = ?", (revision,)).fetchone()
    if row is None:
        raise DamagedRowError(f"the database has no revision {revision!r}; restore it from a backup")
    source, calls = _texts_of(row)

    def find(name: str) -> Flow | NoFlow:
        found = (
            _load(connection, calls[name], catalogue, known)
            if name in calls
            else f"the revision of {name!r} is missing"
        )
        return NoFlow(found, "") if isinstance(found, str) else found

    checked = check(source, row["flow"], catalogue, find)
    return checked.flow or f"the flow no longer checks: {checked.problems[0].message}"


@undamaged("id")
def _texts_of(row: Row) -> tuple[str, dict[str, str]]:
    """The text of the flow, and the revisions of those that it calls."""
    source, calls = json.loads(row["source"]), dict(json.loads(row["calls"]))
    if not all(isinstance(text, str) for text in (source, row["flow"], *calls.values())):
        raise TypeError(row["flow"])
    return source, calls
