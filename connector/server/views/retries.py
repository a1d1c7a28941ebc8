"""What became of a retry of many runs."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from connector.database import Connection
from connector.runs.journal import Journal
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.views.runs import RunRow, row_of


class RetriesParams(Params):
    id: str = Field(max_length=100)


class RetryShown(BaseModel):
    run: str
    refused: str | None = Field(description="Why it does not go on; null where it does.")
    row: RunRow | None = Field(description="The run as it is now; null where there is none.")


class RetriesShown(BaseModel):
    at: datetime
    going_on: int
    retries: Sequence[RetryShown]


async def read_retries(site: Site, wanted: RetriesParams) -> RetriesShown | None:
    batch = site.batches.find(wanted.id)
    if batch is None:
        return None
    outcomes = batch.outcomes

    def read(connection: Connection) -> list[RetryShown]:
        journal = Journal(connection)
        found = [(one, journal.run(one.run)) for one in outcomes]
        return [
            RetryShown(run=one.run, refused=one.refused, row=row_of(connection, run) if run else None)
            for one, run in found
        ]

    going_on = sum(one.refused is None for one in outcomes)
    return RetriesShown(at=batch.at, going_on=going_on, retries=await site.read(read))


PAGES = (Page("/runs/retries/{id}", "Retry", "retries.html", RetriesParams, RetriesShown, read_retries),)
