"""`chatforge forget`."""

import asyncio
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connector import engines, mentions
from connector.adapter import Adapter
from connector.cli import exits, forget_report, output
from connector.cli.cancel import end
from connector.cli.exits import UsageError
from connector.cli.forget_report import Forgotten
from connector.cli.loading import load_adapter, load_settings
from connector.cli.persons import user
from connector.cli.progress import Say, working
from connector.engines import Address
from connector.errors import ConnectorError
from connector.plugins.contacts import ContactsConnection
from connector.plugins.forgetting import FoundContacts, forget_contact
from connector.runs.decisions.interventions import Person, RefusedError
from connector.runs.forgetting import erasing
from connector.runs.forgetting.erasing import Found
from connector.runs.store import Store
from connector.settings import Settings

_CONTACTS = "contacts"
_TRIES = 5
"""While one run is cancelled, another one may begin."""


class NotAgreedError(ConnectorError):
    """The person was asked and said no."""


def forget(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The e-mail address of a person.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Also cancel and erase runs that go on.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> int:
    """Erase what is kept of a person: in events, runs and the built-in contacts. It cannot be undone.

    What comes again of the same lead is still recognised, and starts nothing. Says at the end what it cannot reach.
    Beside a server too.

    Example: chatforge forget ann@example.com --dry-run
    """
    if (address := mentions.read_address(email)) is None:
        raise UsageError(f"EMAIL is {email!r}: expected an e-mail address, such as ann@example.com")
    forgetting = _Forgetting(load_adapter(), load_settings(), address)
    with working("looks through the database", quiet=as_json):
        found = forgetting.find()
    if not dry_run:
        if found.journal.open and not cancel:
            raise RefusedError(forget_report.refusal(found))
        if not found.is_empty and not yes:
            _ask(found)
        with working("erases", quiet=as_json) as say:
            found = forgetting.erase(say)
    if as_json:
        output.write_json(forget_report.as_json(found))
    else:
        forget_report.show(found)
    return exits.FAILED if found.erased and found.left else exits.DONE


@dataclass(frozen=True, slots=True)
class _Forgetting:
    adapter: Adapter
    settings: Settings
    address: mentions.Address

    def find(self) -> Forgotten:
        database = self.settings.database
        journal = engines.read(database, lambda connection: erasing.find(connection, self.address))
        contacts = [forget_contact(path, self.address, dry=True) for path in self._contacts()]
        return self._describe(journal, contacts)

    def erase(self, say: Say) -> Forgotten:
        """Raises RefusedError where runs keep beginning."""
        database, files = self.settings.database, self._contacts()
        for _ in range(_TRIES):
            journal = asyncio.run(self._erase())
            if not journal.open.runs:
                break
            for run_id in journal.open.runs:
                say(f"cancels {run_id}")
                self._cancel(database, run_id)
        else:
            raise RefusedError("runs of this person keep beginning; turn their flow off, and try again")
        contacts = [forget_contact(path, self.address, dry=False) for path in files]
        addresses: list[Address] = [database, *(path for path in files if path.exists())]
        say("writes the database anew, without what was erased")
        kept = [str(one) for one in addresses if not engines.expunge(one)]
        return replace(self._describe(journal, contacts), erased=True, unmerged=kept)

    async def _erase(self) -> Found:
        store = Store(self.settings.database, executes=False)
        try:
            return await store.write(
                erasing.erase, self.address, secrets.token_hex(8), datetime.now(UTC), end_waits=True
            )
        finally:
            store.close()

    def _cancel(self, database: Address, run_id: str) -> None:
        try:
            end(self.adapter, database, run_id, Person(user(), datetime.now(UTC)), quiet=True)
        except RefusedError:
            return  # it has ended by itself meanwhile

    def _describe(self, journal: Found, contacts: Sequence[FoundContacts]) -> Forgotten:
        actions = self.adapter.registry.actions
        done = {name: times for name, times in journal.done.items() if "." in name}
        acted = {name: times for name, times in done.items() if name not in actions or actions[name].effect != "read"}
        served = engines.is_executed(self.settings.database)
        return Forgotten(self.address.text, replace(journal, done=acted), tuple(contacts), served)

    def _contacts(self) -> list[Path]:
        """The files of all connections of the contacts."""
        named = [name for name, entry in self.settings.connections.items() if entry.connector == _CONTACTS]
        found = [self.adapter.connection(_CONTACTS, name) for name in dict.fromkeys(["default", *named])]
        return list(dict.fromkeys(one.database for one in found if isinstance(one, ContactsConnection)))


def _ask(found: Forgotten) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here; give --yes to erase it, or --dry-run to look only")
    for line in forget_report.kept_lines(found):
        output.errors.print(line, markup=False)
    if not typer.confirm("erase it? this cannot be undone", err=True):
        raise NotAgreedError("nothing was erased")
