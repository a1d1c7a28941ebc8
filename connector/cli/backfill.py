"""`chatforge backfill`."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from connector import engines, sqlite
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.backfill_report import preview, show_progress, summarize
from connector.cli.exits import UsageError
from connector.cli.flow_files import check_files, load_flows, require_file
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.cli.paragraphs import write_wrapped
from connector.cli.progress import working
from connector.declare import Effect, connector_of
from connector.diagnosis.budget import find_wait
from connector.engines import Address
from connector.errors import FlowError, StoreError, StoreLockedError
from connector.flows.flow import Call, Flow
from connector.flows.problems import one_of, quoted
from connector.runs.effects import ONCE
from connector.runs.intake import decide_event
from connector.runs.polling.backfills import Backfill, Query, Selection
from connector.runs.polling.listings import Listing
from connector.runs.polling.watches import Watch, find_watches
from connector.runs.store import Store
from connector.runs.upkeep.migrations import SCHEMA
from connector.runs.worker import Worker

INTERRUPTED = 130
_FOR_GOOD = "what has run is not run again, so these steps are left out for good; --allow-once does them"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def backfill(
    file: Annotated[Path, typer.Argument(metavar="FLOW", help="A flow file.", show_default=False)],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only entries created then or later.")] = None,
    limit: Annotated[int | None, typer.Option(help="How many runs at most.", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and why others would not.")] = False,
    allow_once: Annotated[
        bool, typer.Option("--allow-once", help="Also do the steps that act on somebody once, or delete something.")
    ] = False,
) -> int:
    """Run a flow over leads or conversations of the past.

    Once each: what the flow has had before, by webhook, poll or backfill, is not run again. After Ctrl-C the same
    command goes on. Beside a server the server does the runs.

    Example: chatforge backfill leads.yaml --since 2026-03-01 --dry-run
    """
    adapter, selection = _load(file, _read_since(since), with_once=allow_once)
    database = load_settings(file).database
    if dry_run:
        with _reading(database) as query:
            asyncio.run(_preview(adapter, selection, query, limit))
        return exits.DONE
    logging.getLogger("connector").setLevel(logging.ERROR)  # the summary tells of runs that fail
    try:
        with engines.exclusive(database) as hold:
            return asyncio.run(_work(adapter, Store(database, hold), selection, limit))
    except StoreLockedError:
        output.line("another process executes the database and does the runs")
        executed = partial(_require_executed, database)
        return asyncio.run(_work(adapter, Store(database, executes=False), selection, limit, executed))


def _load(file: Path, since: datetime | None, *, with_once: bool) -> tuple[Adapter, Selection]:
    """What the flow of the file is to run over; which of its steps are left out is printed. Raises ConnectorError."""
    require_file(file)
    adapter = load_adapter(file)
    [loaded] = load_flows(file, adapter.catalogue)
    flow = replace(loaded, enabled=True)  # who names it wants it
    watch = _watch(adapter, flow)
    require_steps(adapter, flow)
    adapter.require_connection(watch.connector, watch.connection)
    if not with_once:
        _leave_out(adapter, flow, file)
    return adapter, Selection(watch, flow, Listing(adapter, watch, _now), since, with_once)


def _watch(adapter: Adapter, flow: Flow) -> Watch:
    """The list that the flow watches. Raises UsageError where its past tells nothing."""
    if flow.trigger is None:
        raise UsageError(
            f"the flow {flow.name!r} has inputs and no trigger, so no list tells its events of the past; "
            "run it with: chatforge run"
        )
    if not _tells_of_past(adapter, flow.started_by.uses):
        usable = sorted(name for name in adapter.registry.triggers if _tells_of_past(adapter, name))
        raise UsageError(
            f"the flow {flow.name!r} is started by {flow.started_by.uses}, and no list tells its events of the past; "
            f"expected {one_of(usable)}"
        )
    [watch] = find_watches(
        adapter, [flow], lambda one, delivery: decide_event(adapter, one, delivery, delivery.received_at)
    )
    return watch


def _tells_of_past(adapter: Adapter, trigger: str) -> bool:
    """Whether the entries of the trigger's list are events of it, and not only the changes of them."""
    declared = adapter.registry.trigger(trigger)
    if declared.watches is None:
        return False
    found = declared.watches.entry(declared.sample, _now())
    told = declared.watches.tell(*found, None) if found else ()
    return declared.sample.source == "webhook" or declared.sample.name in [event.name for event in told]


def _leave_out(adapter: Adapter, flow: Flow, file: Path) -> None:
    """Say which steps are left out, those that act once. Raises UsageError where no other is left."""
    once = [(step, call) for step, call in flow.calls_of_actions() if _effect(adapter, call) in ONCE]
    names = ", ".join(step.id for step, _ in once)
    left_out = [step for step, _ in once]
    if all(step in left_out for step in flow.steps):
        raise UsageError(
            f"the flow {flow.name!r} has no step that a backfill does: {names} would be left out; give --allow-once"
        )
    _check_without(adapter, file, names)
    for step, call in once:
        output.line(f"left out: {step.id}, since {call.uses} is {_effect(adapter, call)}")
    if once:
        write_wrapped(_FOR_GOOD)


def _effect(adapter: Adapter, call: Call) -> Effect:
    return adapter.effect(call.uses, call.constants)


def _check_without(adapter: Adapter, file: Path, names: str) -> None:
    """Raise FlowError where a step needs the output of one that is left out."""
    catalogue = adapter.catalogue
    actions = {name: replace(one, leaves_out=ONCE) for name, one in catalogue.actions.items()}
    [(_, checked)] = check_files([file], lambda _: replace(catalogue, actions=actions))
    if checked.problems:
        output.fail(f"a backfill leaves out {names}, so what reads them must be guarded; or give --allow-once")
        raise FlowError("the flow needs what is left out", checked.problems, {str(file): checked.source})


def _read_since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--since is {quoted(text)}; expected a time such as 2026-03-25 or 2026-03-25T10:30:00Z"
        ) from error


@contextmanager
def _reading(database: Address) -> Iterator[Query]:
    """Asks the database, or an empty one where there is none yet; nothing is written."""
    if engines.exists(database):
        yield lambda work: engines.read(database, work)
        return
    with closing(sqlite.open_memory(SCHEMA)) as empty:
        yield lambda work: work(empty)


async def _preview(adapter: Adapter, selection: Selection, query: Query, limit: int | None) -> None:
    async with adapter:
        with working("reads the list"):
            await preview(selection, query, limit)


async def _work(
    adapter: Adapter,
    store: Store,
    selection: Selection,
    limit: int | None,
    check_executed: Callable[[], None] | None = None,
) -> int:
    """Do the backfill; its runs are done in this process, unless `check_executed` looks after the one that does."""
    here, interrupted = check_executed is None, False
    filling = Backfill(store, selection, limit, check_executed or (lambda: None))
    try:
        async with adapter, show_progress(filling, partial(_waits, adapter, selection)):
            interrupted = await _fill(filling, Worker(adapter, store, _now) if here else None)
    finally:
        store.close()
        summarize(filling, interrupted=interrupted, here=here)  # also where it fails: what has run stays
    if interrupted:
        return INTERRUPTED
    return exits.FAILED if filling.with_error else exits.DONE


async def _fill(filling: Backfill, worker: Worker | None) -> bool:
    """Whether it was interrupted; then the calls that cannot be repeated have finished all the same."""
    walking = asyncio.create_task(filling.run())
    working = asyncio.create_task(worker.work(lambda: tuple(filling.open))) if worker else None
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)  # the second one ends the process at once
        walking.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        await asyncio.wait([walking, *([working] if working else [])], return_when=asyncio.FIRST_COMPLETED)
    finally:
        walking.cancel()
        if worker and working:
            worker.stop()
            await working
    with suppress(asyncio.CancelledError):
        await walking
    return walking.cancelled()


def _waits(adapter: Adapter, selection: Selection) -> bool:
    """Whether the list or a step waits for a rate limit, in whichever process."""
    steps = [(connector_of(call.uses), call.connection) for _, call in selection.flow.calls_of_actions()]
    used = {selection.watch.key[:2], *steps}
    return any(find_wait(adapter, *connection, _now()) for connection in used)


def _require_executed(database: Address) -> None:
    """Raise StoreError where no process executes the database."""
    with suppress(StoreLockedError), engines.exclusive(database):
        raise StoreError(
            "the process that executed the database has ended, and runs are left; the same command does them here"
        )


def _now() -> datetime:
    return datetime.now(UTC)
