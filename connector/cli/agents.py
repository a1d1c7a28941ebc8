"""`chatforge agents`."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from connector.adapter import DEFAULT, Adapter
from connector.agents import folders, pulling, state
from connector.agents.account import Account
from connector.agents.applying import Applying
from connector.agents.planning import Plan, Planner
from connector.agents.pulling import Outcome
from connector.agents.state import State
from connector.cli import agents_report, exits, output
from connector.cli.exits import UsageError
from connector.cli.input_files import quoted_path
from connector.cli.loading import load_adapter
from connector.cli.progress import working
from connector.errors import ConnectorError

app = typer.Typer(help="Keep agents as files: settings, prompt and knowledge base.", rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of all agents.", show_default=False)]
Connection = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A connection of connections.yaml; the one that DIR was pulled from without it."),
]


_COMPARES = "compares with the agents of the account"
Planning = Callable[[Account], Awaitable[Plan]]


class NotAgreedError(ConnectorError):
    """Nobody agreed to what was shown."""


@app.command()
def pull(
    root: Folder,
    connection: Connection = None,
    force: Annotated[bool, typer.Option("--force", help="Also over what was edited here and not applied.")] = False,
) -> int:
    """Write each agent of the account into a folder of its own.

    What was edited there stays. Nothing is removed.

    Example: chatforge agents pull agents
    """
    adapter = load_adapter()
    known = state.load(root, connection, DEFAULT)
    with working("reads the agents"):
        outcome = asyncio.run(_pull(adapter, root, known, force=force))
    agents_report.show_pull(outcome)
    return exits.FAILED if outcome.conflicts else exits.DONE


async def _pull(adapter: Adapter, root: Path, known: State, *, force: bool) -> Outcome:
    async with adapter:
        account = Account(adapter, known.connection)
        return await pulling.pull(account, root, known, partial(agents_report.tell, "wrote"), force=force)


@app.command()
def apply(
    root: Folder,
    connection: Connection = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Also delete agents whose folder is gone.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where ChatForge has another text since the pull, or a doubt.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: as JSON.")] = False,
) -> int:
    """Send what was edited in the folder, after a look at the difference.

    A folder without an id becomes a new agent. What is interrupted goes on with the same command.

    Example: chatforge agents apply agents --dry-run
    """
    if as_json and not dry_run:
        raise UsageError("--json shows what would be sent; give --dry-run with it")
    if not os.path.isdir(root):
        raise UsageError(
            f"{quoted_path(root)} is no folder; write the agents into one first: chatforge agents pull DIR"
        )
    adapter = load_adapter()
    known = state.load(root, connection, DEFAULT)
    planning = partial(_plan, root=root, known=known, delete=delete, force=force)
    if dry_run:
        plan = asyncio.run(_look(adapter, known, planning, quiet=as_json))
        if as_json:
            output.write_json(agents_report.plan_as_json(plan))
        else:
            agents_report.show_plan(plan)
        return exits.FAILED if plan.refusals else exits.DONE
    return asyncio.run(_apply(adapter, root, known, planning, ask=not yes))


async def _look(adapter: Adapter, known: State, planning: Planning, *, quiet: bool) -> Plan:
    async with adapter:
        with working(_COMPARES, quiet=quiet):
            return await planning(Account(adapter, known.connection))


async def _apply(adapter: Adapter, root: Path, known: State, planning: Planning, *, ask: bool) -> int:
    async with adapter:
        account = Account(adapter, known.connection)
        with working(_COMPARES):
            plan = await planning(account)
        agents_report.show_plan(plan)
        if plan.refusals or plan.is_empty:
            return exits.FAILED if plan.refusals else exits.DONE
        if ask:
            _ask()
        with working("sends what was edited"):
            await Applying(account, root, known, agents_report.tell).run(plan)
    return exits.DONE


async def _plan(account: Account, root: Path, known: State, *, delete: bool, force: bool) -> Plan:
    here = folders.read_all(root)
    known.creating = {
        one.folder: known.creating[one.folder] for one in here if one.folder in known.creating and one.id is None
    }
    planner = Planner(root, known, here, await account.list(), delete=delete, force=force)
    return planner.plan(await account.get_all(planner.wanted()))


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here; give --yes to send it, or --dry-run to look only")
    if not typer.confirm("send it?", err=True):
        raise NotAgreedError("nothing was sent")
