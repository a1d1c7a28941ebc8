"""`chatforge agents`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from connector.adapter import DEFAULT, Adapter
from connector.agents import folders, pulling, state
from connector.agents.applying import Account, Applying
from connector.agents.planning import Plan, Planner
from connector.agents.pulling import Outcome
from connector.agents.state import State
from connector.cli import agents_report, exits
from connector.cli.exits import UsageError
from connector.cli.loading import load_adapter
from connector.errors import ConnectorError

app = typer.Typer(help="Keep agents as files: settings, prompt and knowledge base.", rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of all agents.", show_default=False)]
Connection = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A connection of connections.yaml; the one that DIR was pulled from without it."),
]


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
    outcome = asyncio.run(_pull(adapter, root, known, force=force))
    agents_report.show_pull(outcome)
    return exits.FAILED if outcome.conflicts else exits.DONE


async def _pull(adapter: Adapter, root: Path, known: State, *, force: bool) -> Outcome:
    account = Account(adapter, known.connection)
    async with adapter:
        here = folders.read_all(root)
        remotes = await account.get_all(await account.list())
    return pulling.pull(root, known, here, remotes.values(), force=force)


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
) -> int:
    """Send what was edited in the folder, after a look at the difference.

    A folder without an id becomes a new agent. What is interrupted goes on with the same command.

    Example: chatforge agents apply agents --dry-run
    """
    if not root.is_dir():
        raise UsageError(f"{str(root)!r} is no folder; write the agents into it first: chatforge agents pull {root}")
    adapter = load_adapter()
    known = state.load(root, connection, DEFAULT)
    return asyncio.run(_apply(adapter, root, known, delete=delete, force=force, ask=None if dry_run else not yes))


async def _apply(adapter: Adapter, root: Path, known: State, *, delete: bool, force: bool, ask: bool | None) -> int:
    """`ask` is None where nothing is to be sent."""
    account = Account(adapter, known.connection)
    async with adapter:
        plan = await _plan(account, root, known, delete=delete, force=force)
        agents_report.show_plan(plan)
        if plan.refusals:
            return exits.FAILED
        if ask is None or plan.is_empty:
            return exits.DONE
        if ask:
            _ask()
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
