"""What is served goes on, whatever happens while flow files are read."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from connector import registry, settings
from connector.adapter import Adapter
from connector.flows.check import check
from connector.runs.store import Store
from connector.server.flow_files import FlowFile, FlowFiles
from connector.server.serving import Maker, Serving

TEXT = "flow: one\ninputs: {note: {type: str, default: %s}}\nsteps: [{id: done, stop: done}]\n"


class World:
    """A file that changes until it was read three times; `faults` happen when it is read, by the number of the time."""

    def __init__(self, folder: Path, faults: Mapping[int, Callable[[], None]]) -> None:
        plugins = registry.load()
        loaded = settings.load(folder, environ={"CHATFORGE_DATABASE_URL": f"sqlite:///{folder}/runs.db"})
        self.adapter = Adapter(plugins, loaded)
        self.store = Store(folder / "runs.db")
        self.maker = Maker(self.adapter, self.store, loaded, lambda: None, lambda: datetime.now(UTC))
        self.faults, self.reads = faults, 0

    def read(self) -> Sequence[FlowFile]:
        self.reads += 1
        if self.reads in self.faults:
            self.faults[self.reads]()
        source = TEXT % ("first" if self.reads == 1 else "second")
        return [FlowFile("one.yaml", source, check(source, "one.yaml", self.adapter.catalogue).flow)]

    async def serve(self) -> tuple[bool, str]:
        """Whether it goes on, and the text that is served in the end."""
        files = FlowFiles(self.read, lambda: min(self.reads, 3), self.read(), 0)
        flows = [file.flow for file in files.first if file.flow]
        serving = Serving(self.maker, flows, files, every=0.01)
        working = asyncio.create_task(serving.work())
        async with asyncio.timeout(5):
            while not working.done() and "second" not in serving.files[0].source:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        goes_on = not working.done()
        serving.stop()
        await working
        self.store.close()
        return goes_on, serving.files[0].source


def refuse() -> None:
    raise PermissionError("no")


def test_flows_go_on_after_a_fault_while_their_files_are_read(tmp_path):
    assert asyncio.run(World(tmp_path, {2: refuse}).serve()) == (True, TEXT % "second")


def test_flows_are_taken_over_once_the_database_can_be_read_again(tmp_path):
    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
            connection.execute(f"ALTER TABLE {before} RENAME TO {after}")

    world = World(tmp_path, {2: lambda: rename("runs", "gone"), 3: lambda: rename("gone", "runs")})
    assert asyncio.run(world.serve()) == (True, TEXT % "second")
