"""Whether walking a list page by page brings every record once."""

import json
from collections.abc import Mapping
from typing import Any

from connector.adapter import Adapter
from connector.registry import Registry, schemas_of
from connector.testing.subject import Subject, fail

_SIZES = (1, 2, 3)
FEWEST = 4
"""With fewer records a page of three is no walk."""


def lists_pages(registry: Registry, full: str) -> bool:
    """Whether the action has `limit` and `offset` in its input and `next_offset` in its output."""
    taken, given = schemas_of(registry.action(full))
    return {"limit", "offset"} <= taken.get("properties", {}).keys() and "next_offset" in given.get("properties", {})


async def require_complete(subject: Subject, name: str) -> None:
    """With pages of 1, 2 and 3 records."""
    expected = expect_records(subject, name)
    if expected < FEWEST:
        fail(f"`records` says {expected} for {name!r}; let the double hold {FEWEST} or more, so that there are pages")
    for size in _SIZES:
        async with subject.open() as adapter:
            records = await _walk(subject, adapter, name, size, expected)
        found = [json.dumps(record, sort_keys=True) for record in records]
        if len(set(found)) != len(found):
            fail(f"{subject.full(name)} with limit {size} brought a record twice; correct its next_offset")
        if len(found) != expected:
            fail(
                f"{subject.full(name)} with limit {size} brought {len(found)} of {expected} records before next_offset "
                "was null; count the offset by what came, not by the limit, and end only at the end"
            )


def expect_records(subject: Subject, name: str) -> int:
    """How many records the double holds for an operation."""
    if name not in subject.records:
        fail(f"say how many records {name!r} has to bring: Service(url, records={{{name!r}: 7}})")
    return subject.records[name]


async def _walk(subject: Subject, adapter: Adapter, name: str, size: int, expected: int) -> list[Any]:
    records: list[Any] = []
    offset: int | None = 0
    for _ in range(expected + 2):
        if offset is None:
            return records
        output = await subject.run_well(adapter, name, {**subject.input_of(name), "limit": size, "offset": offset})
        records += _records(subject, name, output)
        offset = output["next_offset"]
    fail(f"{subject.full(name)} with limit {size} does not come to an end; next_offset must be null at the end")


def _records(subject: Subject, name: str, output: Mapping[str, Any]) -> list[Any]:
    lists = [value for value in output.values() if isinstance(value, list)]
    if len(lists) != 1:
        fail(f"the output of {subject.full(name)} has {len(lists)} lists; give a page one, which has its records")
    return lists[0]
