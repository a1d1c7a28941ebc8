"""Copies all that one database holds into another one, which is empty."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector import engines
from connector.database import Connection, Row
from connector.engines import Address
from connector.errors import ConnectorError, StoreError
from connector.runs.upkeep.migrations import require_version, upgrade
from connector.runs.upkeep.tables import Table, all_tables, insertion, is_empty, read_parts


@dataclass(frozen=True, slots=True)
class Copying:
    """From one database into another. Both are held, so that nothing changes meanwhile."""

    source: Address
    target: Address

    def copy(self, hold: Any) -> Mapping[str, int]:
        """The rows of each table. One transaction: what is interrupted leaves the target as it was.

        `hold` is what `engines.exclusive` gave for the target. Raises StoreError.
        """
        return engines.read(
            self.source,
            lambda reading: engines.write(self.target, lambda writing: self._copy(reading, writing), hold),
        )

    def _copy(self, reading: Connection, writing: Connection) -> Mapping[str, int]:
        with engines.explained(self.source):
            require_version(reading, engines.columns_of(self.source, reading), str(self.source))
        upgrade(self.target, writing)
        full = [table.name for table in all_tables() if not is_empty(writing, table)]
        if full:
            raise StoreError(
                f"the database {self.target} is not empty, its table {full[0]} has rows; name another one to copy to"
            )
        return {table.name: self._copy_table(reading, writing, table) for table in all_tables()}

    def _copy_table(self, reading: Connection, writing: Connection, table: Table) -> int:
        copied = 0
        for rows in self._read(reading, table):
            values = [[row[column] for column in table.columns] for row in rows]
            try:
                with engines.explained(self.target):
                    writing.executemany(insertion(table), values)
            except ConnectorError:
                raise
            except Exception as error:  # it does not take a row; behind its first line may stand what is in that
                reason = str(error).partition("\n")[0]
                raise StoreError(
                    f"a row of {table.name} in {self.source} cannot be kept in {self.target}: {reason}; "
                    "see what is wrong with it: chatforge db check"
                ) from error
            copied += len(rows)
        if table.numbers_itself:
            engines.go_on_numbering(self.target, writing, table.name, table.key[0])
        return copied

    def _read(self, reading: Connection, table: Table) -> Iterator[list[Row]]:
        """So that what is wrong with the source is not said of the target."""
        parts = read_parts(reading, table)
        while True:
            with engines.explained(self.source):
                rows = next(parts, None)
            if rows is None:
                return
            yield rows
