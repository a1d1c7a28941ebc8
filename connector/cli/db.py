"""`chatforge db`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from connector import engines, upkeep
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.loading import load_settings
from connector.cli.paragraphs import write_beside
from connector.cli.progress import working
from connector.database import Connection
from connector.engines import Address
from connector.errors import StoreError
from connector.runs.upkeep import checking
from connector.runs.upkeep.checking import Found
from connector.runs.upkeep.copying import Copying
from connector.runs.upkeep.migrations import VERSION
from connector.runs.upkeep.migrations import upgrade as upgrade_tables
from connector.settings import read_address

app = typer.Typer(help="Look after the database.", rich_markup_mode=None)

_LEFT = 20
_NAME = "database"
_URL = "sqlite:///PATH or postgresql://USER@HOST/DATABASE."


@app.command()
def upgrade() -> None:
    """Bring the database up to this version of chatforge.

    The server and chatforge run do it too when they open the database.

    Example: chatforge db upgrade
    """
    address = load_settings().database
    with engines.exclusive(_require(address)) as hold, working("upgrades the database"):
        found = engines.write(address, lambda opened: upgrade_tables(address, opened), hold)
        rewritten = engines.rewrite(address)
    if found == VERSION:
        output.line(f"{address} has version {VERSION}, and needs no upgrade")
    else:
        output.line(f"{address} had version {found}, and has version {VERSION} now")
    if rewritten:
        output.line("it was written anew, so that it shrinks when old runs are removed")


@app.command()
def check() -> int:
    """Look whether the database is sound and all that it holds can be read. Changes nothing.

    Beside a server too. Reads the whole database, which takes a while where it is large.

    Example: chatforge db check
    """
    address = _require(load_settings().database)
    read = upkeep.read_untouched if isinstance(address, Path) else engines.read
    with working("reads the whole database"):
        faulty = read(address, lambda opened: [found for found in _look(address, opened) if not _show(found)])  # type: ignore[arg-type] # each takes its kind of address
    return exits.FAILED if faulty else exits.DONE


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help=_URL, show_default=False)],
    target: Annotated[
        str, typer.Argument(metavar="TO", help=f"An empty or a new database: {_URL}", show_default=False)
    ],
) -> None:
    """Copy all of a database into an empty one: history, polls, and runs that go on there.

    Nothing may use either of them meanwhile. What is interrupted leaves the new one empty.

    Example: chatforge db copy sqlite:///chatforge.sqlite postgresql://chatforge@db.internal/chatforge
    """
    copying = Copying(read_address(source, Path.cwd(), "FROM"), read_address(target, Path.cwd(), "TO"))
    if engines.is_same(_require(copying.source), copying.target):
        raise UsageError(f"FROM and TO are the same database, {copying.source}; name another one to copy to")
    with engines.exclusive(copying.source), engines.exclusive(copying.target) as hold, working("copies the rows"):
        copied = copying.copy(hold)
    output.table(("table", "rows"), [(table, f"{number:,}") for table, number in copied.items() if number])
    output.line(f"{sum(copied.values()):,} rows copied to {copying.target}")


def _require(address: Address) -> Address:
    if not engines.exists(address):
        what = "database at" if isinstance(address, Path) else "table of chatforge in"
        raise StoreError(f"there is no {what} {address}; start chatforge serve once, or name another database")
    return address


def _look(address: Address, opened: Connection) -> Iterator[Found]:
    yield Found(_NAME, f"{address}, {_describe(address, opened)}")
    if isinstance(address, Path):
        yield from checking.check_file(opened)
    columns = engines.columns_of(address, opened)
    version = checking.check_version(address, opened)
    yield version
    tables = checking.check_columns(columns) if version.good else version
    if version.good:
        yield tables
    if tables.good:
        yield from checking.check_rows(opened)


def _describe(address: Address, opened: Any) -> str:
    if isinstance(address, Path):
        version = opened.execute("SELECT sqlite_version() AS version").fetchone()["version"]
        return f"{address.stat().st_size / 1e6:.1f} MB, SQLite {version}"
    return f"Postgres {opened.execute('SHOW server_version').fetchone()['server_version']}"


def _show(found: Found) -> bool:
    """Print it; whether it is good."""
    style = "" if found.good else "red"
    head = Text(found.what.ljust(_LEFT), style)
    if found.what == _NAME:  # a path in two parts could not be copied
        output.line(head, found.text)
    else:
        write_beside(head, _LEFT, found.text)
    return found.good
