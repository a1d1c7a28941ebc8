"""What `chatforge forget` says: what is kept of a person, what was erased, and what it cannot reach."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.cli import output
from connector.cli.paragraphs import write_beside
from connector.declare import connector_of
from connector.plugins.forgetting import FoundContacts
from connector.runs.forgetting.erasing import Found, Open

_LEFT = 13
_MOST = 5
"""Runs that a sentence names."""
_OURS = ("contacts", "chatforge")
_TABLES = {
    "revisions": "the text of a flow, so that its runs mention it, whoever they are about",
    "polls": "what a poll of a list failed with, until the next one succeeds",
    "partition_failures": "what the poll of a list failed with, until the next one succeeds",
    "own_polls": "where the poll of a trigger stands",
}
_OUTSIDE = "logs, backups, files that were exported, and e-mails that were sent"
_CHATFORGE = "has the lead and its conversation in its own lists; have it erased there, or it may be read again"
_SERVER = "the server at work may know what it has read last, in memory, until it is restarted"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What there is of a person, or was erased. The journal's `done` has only what may have changed something."""

    address: str
    journal: Found
    contacts: tuple[FoundContacts, ...]
    served: bool
    """Whether a process executes the database."""
    erased: bool = False
    unmerged: Sequence[str] = ()
    """Files whose log could not be emptied."""

    @property
    def is_empty(self) -> bool:
        return not self.journal.counts and not self.contact_counts and not self.journal.open

    @property
    def contact_counts(self) -> dict[str, int]:
        return dict(sum((Counter(one.counts) for one in self.contacts), Counter()))

    @property
    def left(self) -> list[str]:
        """What of ours mentions the address all the same."""
        rows = self.journal.elsewhere
        found = [f"{_TABLES.get(table, f'the table {table}')} ({rows[table]:,})" for table in sorted(rows)]
        others = [contact for one in self.contacts for contact in one.others]
        found += [f"the contact {contact}, who is another person" for contact in others]
        return found + [f"the log of {path}, which somebody is reading; do it again" for path in self.unmerged]


def refusal(found: Forgotten) -> str:
    """Why nothing is erased while runs go on, as a sentence."""
    going_on: Open = found.journal.open
    named = [f"{run_id} is {status}" for run_id, status in going_on.runs.items()]
    named += [f"{flow} waits to start from {event_id}" for event_id, flow in going_on.waiting]
    more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
    return (
        f"not all is finished that is about {found.address}: {', '.join(named[:_MOST])}{more}; "
        "end runs with chatforge runs cancel RUN, or give --cancel"
    )


def kept_lines(found: Forgotten) -> list[str]:
    """What there is, by the place where it is kept."""
    places = {"journal": found.journal.counts, "contacts": found.contact_counts}
    return [f"{place:<{_LEFT}}{_list(counts)}" for place, counts in places.items() if counts]


def show(found: Forgotten) -> None:
    if found.is_empty:
        output.line(f"nothing is kept of {found.address}")
    else:
        what = "erased what was kept of" if found.erased else "to erase of"
        output.line(output.styled(f"{what} {found.address}", "bold"))
    for line in kept_lines(found):
        output.line(line)
    if found.journal.open and not found.erased:
        write_beside("not finished", _LEFT, refusal(found))
    for head, lines in (("still mentioned in", found.left), ("out of reach", [*_outside(found)])):
        if lines:
            output.line("")
            output.line(output.styled(head, "bold"))
        for line in lines:
            name, _, text = line.partition(": ")
            write_beside(name.ljust(_LEFT) if text else "", _LEFT if text else 0, text or line)


def as_json(found: Forgotten) -> dict[str, Any]:
    going_on = found.journal.open
    waiting = [{"event_id": event_id, "flow": flow} for event_id, flow in going_on.waiting]
    return {
        "address": found.address,
        "erased": found.erased,
        "journal": dict(found.journal.counts),
        "contacts": found.contact_counts,
        "unfinished": {"runs": dict(going_on.runs), "waiting": waiting},
        "left": found.left,
        "done": dict(found.journal.done),
        "out_of_reach": [*_outside(found)],
    }


def _outside(found: Forgotten) -> Iterator[str]:
    """`NAME: what it may still have`."""
    by_connector: dict[str, list[str]] = defaultdict(list)
    for action, times in found.journal.done.items():
        by_connector[connector_of(action)].append(f"{action} {times}×")
    done = by_connector.pop("chatforge", [])
    yield f"ChatForge: {_CHATFORGE}" + (f" (done there: {', '.join(done)})" if done else "")
    for connector, actions in sorted(by_connector.items()):
        if connector not in _OURS:
            yield f"{connector}: has what the runs gave it ({', '.join(actions)})"
    if found.served:
        yield f"server: {_SERVER}"
    yield f"other: {_OUTSIDE}"


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {_word(name, number)}" for name, number in counts.items())


def _word(name: str, number: int) -> str:
    return name.removesuffix("s") if number == 1 else name
