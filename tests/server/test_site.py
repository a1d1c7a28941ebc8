import asyncio
import threading
from dataclasses import MISSING, fields
from types import SimpleNamespace
from typing import Any, cast

from connector.server.site import Site
from connector.sqlite import write_file

NOTHING = cast("Any", None)


def test_few_reads_are_done_at_once_so_that_threads_are_left_for_others(tmp_path):
    database = tmp_path / "runs.sqlite"
    write_file(database, lambda connection: connection.execute("CREATE TABLE t (a)"))
    settings = cast("Any", SimpleNamespace(database=database))
    names = [one.name for one in fields(Site) if one.init and one.default_factory is MISSING]
    site = Site(**dict.fromkeys(names, NOTHING) | {"settings": settings})
    counting, begun, go_on = threading.Lock(), threading.Semaphore(0), threading.Event()
    running = most = 0

    def search(_connection: Any) -> None:
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
        begun.release()
        go_on.wait(10)
        with counting:
            running -= 1

    async def ask() -> None:
        asking = [asyncio.create_task(site.read(search)) for _ in range(20)]
        for _ in range(4):
            await asyncio.to_thread(begun.acquire, timeout=10)
        go_on.set()
        await asyncio.gather(*asking)

    asyncio.run(ask())
    assert most == 4
