import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.errors import StoreError, StoreLockedError
from connector.sqlite import Database, connect, exclusive, read_file, transaction

ROOT = Path(__file__).parents[1]
SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT UNIQUE);"


@contextmanager
def opened(path: Path, patience: float = 10.0) -> Iterator[Database]:
    database = Database(path, SCHEMA, patience)
    try:
        yield database
    finally:
        database.close()


def insert(text: str) -> Callable[[sqlite3.Connection], Any]:
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,)).rowcount


def texts(path: Path) -> list[str]:
    """What somebody else finds in the file."""
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]


@contextmanager
def child(script: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A Python process that has printed its first line; it ends with the block."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


HOLD_WRITE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("ready", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""
HOLD_EXCLUSIVE = """
import pathlib, sys
from connector.sqlite import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.readline()
"""


class Gate:
    """A write that keeps the writer busy until it is opened, and counts the commits from then on."""

    def __init__(self) -> None:
        self.reached, self.may_go = threading.Event(), threading.Event()
        self.statements: list[str] = []

    def __call__(self, connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(self.statements.append)
        self.reached.set()
        assert self.may_go.wait(10)

    def commits(self) -> int:
        return self.statements.count("COMMIT")


async def write_together(database: Database, *works: Callable[[sqlite3.Connection], Any]) -> tuple[int, list[Any]]:
    """Let the writes wait for one another: the number of their commits, and what they were told."""
    gate = Gate()
    first = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.reached.wait, 10)
    others = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)  # they are queued now
    gate.may_go.set()
    await first
    told = await asyncio.gather(*others, return_exceptions=True)
    return gate.commits() - 1, told


def test_file_has_a_write_ahead_log_and_syncs_every_commit(tmp_path):
    def modes(connection: sqlite3.Connection) -> list[Any]:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    with opened(tmp_path / "new" / "x.sqlite") as database:
        assert database.read(modes) == ["wal", 2]
        with closing(connect(database.path)) as connection:
            assert modes(connection) == ["wal", 2]
        assert asyncio.run(database.write(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])) == 2


def test_name_of_the_file_is_taken_literally(tmp_path):
    path = tmp_path / "a b%20?mode=memory#é\udcff.sqlite"
    with opened(path) as database:
        asyncio.run(database.write(insert("a")))
    assert sorted(os.listdir(tmp_path)) == [path.name]


@pytest.mark.parametrize(("writes", "commits"), [(256, 1), (257, 2)])
def test_writes_that_wait_share_a_commit(tmp_path, writes, commits):
    names = [str(number) for number in range(writes)]
    with opened(tmp_path / "x.sqlite") as database:
        counted, told = asyncio.run(write_together(database, *map(insert, names)))
        assert (counted, told) == (commits, [1] * writes)
        assert texts(database.path) == names


def fail(connection: sqlite3.Connection) -> None:
    insert("failed")(connection)
    raise KeyError("mine")


def misspell(connection: sqlite3.Connection) -> None:
    insert("misspelled")(connection)
    connection.execute("INSERT INTO nots VALUES (1)")


def test_failing_writes_are_undone_alone_and_only_their_callers_are_told(tmp_path):
    works = (insert("a"), fail, insert("a"), misspell, insert("b"))
    with opened(tmp_path / "x.sqlite") as database:
        commits, told = asyncio.run(write_together(database, *works))
        assert commits == 1
        assert [type(each) for each in told] == [int, KeyError, sqlite3.IntegrityError, StoreError, int]
        assert texts(database.path) == ["a", "b"]


def test_nobody_is_told_before_the_commit(tmp_path):
    reached, may_go = threading.Event(), threading.Event()

    def stop_before_commit(statement: str) -> None:
        if statement == "COMMIT":
            reached.set()
            assert may_go.wait(10)

    def work(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(stop_before_commit)
        insert("a")(connection)

    async def run(database: Database) -> None:
        task = asyncio.create_task(database.write(work))
        await asyncio.to_thread(reached.wait, 10)
        await asyncio.sleep(0)
        assert not task.done()
        assert texts(database.path) == []
        may_go.set()
        await task
        assert texts(database.path) == ["a"]

    with opened(tmp_path / "x.sqlite") as database:
        asyncio.run(run(database))


def test_commit_that_fails_is_told_to_the_whole_group_and_undone(tmp_path):
    def break_at_commit(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO children VALUES (1)")

    with opened(tmp_path / "x.sqlite") as database:
        _, told = asyncio.run(write_together(database, insert("a"), break_at_commit, insert("b")))
        assert [str(each) for each in told] == ["FOREIGN KEY constraint failed"] * 3
        assert texts(database.path) == []
        assert asyncio.run(database.write(insert("c"))) == 1


def test_busy_database_is_waited_for(tmp_path):
    async def run(database: Database, process: "subprocess.Popen[str]") -> None:
        task = asyncio.create_task(database.write(insert("a")))
        process.stdin.write("\n")
        process.stdin.flush()
        await task

    with opened(tmp_path / "x.sqlite") as database, child(HOLD_WRITE_LOCK, database.path) as process:
        asyncio.run(run(database, process))
        assert texts(database.path) == ["a"]


def test_database_that_stays_busy_refuses_and_then_takes_writes(tmp_path):
    with opened(tmp_path / "x.sqlite", patience=0.01) as database:
        with child(HOLD_WRITE_LOCK, database.path):
            with pytest.raises(StoreError, match=r"x\.sqlite cannot be used: database is locked; another process"):
                asyncio.run(database.write(insert("a")))
            with pytest.raises(StoreError, match="another process"):
                Database(database.path, SCHEMA, patience=0.01)
        with child(HOLD_WRITE_LOCK, tmp_path / "new.sqlite"), pytest.raises(StoreError, match="another process"):
            Database(tmp_path / "new.sqlite", SCHEMA, patience=0.01)
        asyncio.run(database.write(insert("b")))
        assert texts(database.path) == ["b"]


def test_writes_that_wait_together_for_another_process_wait_once(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None, check_same_thread=False)) as other:

        def lock(moment: str) -> None:
            """Just when the next writes, which are queued by now, would begin."""
            if moment == "after commit":
                other.execute("BEGIN IMMEDIATE")

        async def run(database: Database) -> list[Any]:
            gate = Gate()
            first = asyncio.create_task(database.write(gate))
            await asyncio.to_thread(gate.reached.wait, 10)
            others = [asyncio.create_task(database.write(insert(text))) for text in "ab"]
            await asyncio.sleep(0)
            gate.may_go.set()
            await first
            told = await asyncio.gather(*others, return_exceptions=True)
            return [gate.statements.count("BEGIN IMMEDIATE"), *map(type, told)]

        with closing(Database(tmp_path / "x.sqlite", SCHEMA, 0.01, failpoint=lock)) as database:
            assert asyncio.run(run(database)) == [1, StoreError, StoreError]


def test_database_that_another_process_is_creating_is_waited_for(tmp_path):
    """The change to a write-ahead log is the one thing for which SQLite itself does not wait."""
    path = tmp_path / "x.sqlite"
    with child(HOLD_WRITE_LOCK, path) as process:
        timer = threading.Timer(0.1, process.communicate, ("\n",))
        timer.start()
        with opened(path) as database:
            asyncio.run(database.write(insert("a")))
        timer.join()
    assert texts(path) == ["a"]


def test_full_disk_refuses_the_group_and_then_takes_writes(tmp_path):
    """SQLite itself undoes the whole transaction here."""

    async def run(database: Database) -> None:
        pages = await database.write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await database.write(lambda connection: connection.execute(f"PRAGMA max_page_count={pages}").fetchone())
        _, told = await write_together(database, insert("a"), insert("b" * 20_000), insert("c"))
        assert [type(each) for each in told] == [StoreError] * 3
        assert str(told[0]).endswith("database or disk is full; make room on its disk")
        assert texts(database.path) == []
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count=1000").fetchone())
        await database.write(insert("d" * 20_000))

    with opened(tmp_path / "x.sqlite") as database:
        asyncio.run(run(database))
        assert [text[0] for text in texts(database.path)] == ["d"]


FILL_FILE = """
import asyncio, pathlib, resource, sys
from connector.errors import StoreError
from connector.sqlite import Database
print("ready", flush=True)
path = pathlib.Path(sys.argv[1])
database = Database(path, "CREATE TABLE IF NOT EXISTS notes (text TEXT UNIQUE);")
insert = lambda text: asyncio.run(database.write(lambda c: c.execute("INSERT INTO notes VALUES (?)", (text,)).rowcount))
insert("a")
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (pathlib.Path(f"{path}-wal").stat().st_size, hard))
try:
    insert("b" * 20_000)
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(insert("c"))
database.close()
"""


def test_file_that_cannot_grow_refuses_and_then_takes_writes(tmp_path):
    path = tmp_path / "x.sqlite"
    with child(FILL_FILE, path) as process:
        refusal, inserted = process.stdout.read().splitlines()
    assert refusal.startswith(f"the database {path} cannot be used: disk I/O error; check its folder")
    assert inserted == "1"
    assert texts(path) == ["a", "c"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        pytest.param("file/x.sqlite", "File exists; name a file in a folder", id="the folder is a file"),
        pytest.param("folder", "Is a directory; name a file", id="the file is a folder"),
        pytest.param("/proc/x.sqlite", "No such file or directory", id="a folder in which nothing can be made"),
        pytest.param("garbage", "file is not a database; set CHATFORGE_DATABASE_URL", id="not a database"),
    ],
)
def test_database_that_cannot_be_opened_is_named(tmp_path, place, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "garbage").write_bytes(b"garbage " * 1000)
    with pytest.raises(StoreError, match=f"the database {tmp_path / place} cannot be used: {reason}"):
        Database(tmp_path / place, SCHEMA)


def test_damaged_database_is_reported_to_readers_and_writers(tmp_path):
    with opened(tmp_path / "x.sqlite") as database:
        asyncio.run(database.write(insert("a" * 50_000)))
    content = bytearray(database.path.read_bytes())
    content[4096 : 3 * 4096] = b"\xff" * 2 * 4096
    database.path.write_bytes(content)
    with opened(database.path) as database:
        with pytest.raises(StoreError, match="malformed; restore it from a backup"):
            database.read(lambda connection: connection.execute("SELECT * FROM notes").fetchall())
        with pytest.raises(StoreError, match="malformed; restore it from a backup"):
            asyncio.run(database.write(insert("b")))


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_write_to_a_file_that_lost_its_name_is_refused(tmp_path, replaced):
    """SQLite would accept it, and after a restart it would be gone."""
    with opened(tmp_path / "x.sqlite") as database:
        with opened(tmp_path / "other.sqlite"):
            pass
        if replaced:
            (tmp_path / "other.sqlite").rename(database.path)
        else:
            database.path.unlink()
        with pytest.raises(StoreError, match="was moved or deleted while in use"):
            asyncio.run(database.write(insert("a")))


@pytest.mark.parametrize("name", ["-wal", ".lock"])
def test_write_is_refused_once_what_belongs_to_the_file_was_deleted(tmp_path, name):
    path = tmp_path / "x.sqlite"
    with exclusive(path), opened(path) as database:
        assert asyncio.run(database.write(insert("a"))) == 1
        Path(f"{path}{name}").unlink()
        for _ in range(2):
            with pytest.raises(StoreError, match=rf"{path}{name} was moved or deleted while in use; restart this"):
                asyncio.run(database.write(insert("b")))


def test_file_with_two_names_is_refused(tmp_path):
    path = tmp_path / "x.sqlite"
    with opened(path):
        pass
    (tmp_path / "y.sqlite").hardlink_to(path)
    with pytest.raises(StoreError, match=r"has 2 names \(hard links\)"), exclusive(path):
        pass


def test_files_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "new" / "x.sqlite"
    with exclusive(path), opened(path) as database:
        asyncio.run(database.write(insert("a")))
        assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == dict.fromkeys(
            ("x.sqlite", "x.sqlite-wal", "x.sqlite-shm", "x.sqlite.lock"), 0o600
        )
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_write_goes_on_when_its_event_loop_has_ended(tmp_path):
    gate = Gate()

    async def leave(database: Database) -> None:
        writes = [asyncio.create_task(database.write(work)) for work in (gate, insert("a"))]
        await asyncio.to_thread(gate.reached.wait, 10)
        for write in writes:
            write.cancel()

    with opened(tmp_path / "x.sqlite") as database:
        asyncio.run(leave(database))
        gate.may_go.set()
        asyncio.run(database.write(insert("b")))
        assert texts(database.path) == ["a", "b"]


def test_close_finishes_the_writes_that_wait_and_refuses_later_ones(tmp_path):
    async def run() -> None:
        database = Database(tmp_path / "x.sqlite", SCHEMA)
        gate = Gate()
        writes = [asyncio.create_task(database.write(work)) for work in (gate, insert("a"), insert("b"))]
        await asyncio.to_thread(gate.reached.wait, 10)
        closing = asyncio.create_task(asyncio.to_thread(database.close))
        gate.may_go.set()
        await asyncio.gather(closing, *writes)
        with pytest.raises(StoreError, match="is closed"):
            await database.write(insert("c"))
        database.close()

    asyncio.run(run())
    assert texts(tmp_path / "x.sqlite") == ["a", "b"]


def test_reader_sees_one_state_and_cannot_write(tmp_path):
    def count_twice(connection: sqlite3.Connection) -> list[int]:
        count = "SELECT count(*) FROM notes"
        before = connection.execute(count).fetchone()[0]
        with closing(connect(tmp_path / "x.sqlite")) as other:
            insert(f"after {before}")(other)
        return [before, connection.execute(count).fetchone()[0]]

    with opened(tmp_path / "x.sqlite") as database:
        asyncio.run(database.write(insert("a")))
        assert database.read(count_twice) == [1, 1]
        assert texts(database.path) == ["a", "after 1"]
        with pytest.raises(StoreError, match="readonly"):
            database.read(insert("d"))
        assert read_file(database.path, count_twice) == [2, 2]
        with pytest.raises(StoreError, match="readonly"):
            read_file(database.path, insert("d"))


def test_file_that_does_not_exist_is_not_made_by_reading(tmp_path):
    with pytest.raises(StoreError, match=r"there is no database at .*x\.sqlite; start the server once"):
        read_file(tmp_path / "x.sqlite", insert("a"))
    assert not list(tmp_path.iterdir())


def test_file_without_a_table_says_who_may_have_made_it(tmp_path):
    with opened(tmp_path / "x.sqlite"):
        pass
    with pytest.raises(StoreError, match="no such table: later; an earlier version or another program has made it"):
        read_file(tmp_path / "x.sqlite", lambda connection: connection.execute("SELECT * FROM later"))


def test_transaction_that_fails_is_undone(tmp_path):
    def insert_and_fail(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            insert("a")(connection)
            raise KeyError

    with closing(connect(tmp_path / "x.sqlite")) as connection:
        connection.execute(SCHEMA)
        with pytest.raises(KeyError):
            insert_and_fail(connection)
        assert not connection.in_transaction
    assert texts(tmp_path / "x.sqlite") == []


def hold(path: Path) -> None:
    with exclusive(path):
        pass


def test_database_is_executed_by_one_process_until_that_is_killed(tmp_path):
    path = tmp_path / "new" / "x.sqlite"
    (tmp_path / "link.sqlite").symlink_to(path)
    for _ in range(2):
        with child(HOLD_EXCLUSIVE, path) as process:
            for name in (path, tmp_path / "link.sqlite"):
                with pytest.raises(StoreLockedError, match=rf"process \(process id {process.pid}\); stop that one"):
                    hold(name)
            process.send_signal(signal.SIGKILL)
            process.wait()
            hold(path)


def test_lock_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/x\.sqlite cannot be used"):
        hold(tmp_path / "file" / "x.sqlite")


def test_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="it is neither a file nor a link to one"):
        read_file(tmp_path / "pipe", list)


_READ = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM t').fetchall()"


def test_reading_leaves_the_locks_of_the_same_process_alone(tmp_path):
    """Closing any other descriptor of the file would let them go, and a write after another process would fail."""
    database = Database(tmp_path / "a.sqlite", "CREATE TABLE IF NOT EXISTS t (x)")
    for _ in range(20):
        asyncio.run(database.write(lambda connection: connection.execute("INSERT INTO t VALUES (1)")))
        subprocess.run([sys.executable, "-c", _READ, database.path], check=True)
        read_file(database.path, lambda connection: connection.execute("SELECT * FROM t").fetchall())
    database.close()
