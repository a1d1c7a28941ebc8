"""A run as a test of its flow, to copy or to download."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from connector.database import Connection
from connector.flows.flow import Flow
from connector.runs import revisions
from connector.runs.decisions.interventions import RefusedError
from connector.runs.flow_tests.saving import save
from connector.runs.waits import RunView, read_view
from connector.server.pages import Download, Page, Params
from connector.server.site import Site


class TestParams(Params):
    id: str = Field(max_length=100)
    personal: Literal["examples", "kept"] = Field(
        "examples", description="Whether examples stand in place of what tells about a person."
    )


class TestShown(BaseModel):
    run: str
    flow: str
    personal: Literal["examples", "kept"]
    file: str = Field(description="The name of the file, beside that of the flow.")
    text: str
    differences: Sequence[str] = Field(description="What the flow does in a test otherwise than in the run.")


async def read_test(site: Site, wanted: TestParams) -> TestShown | None:
    def read(connection: Connection) -> tuple[RunView, Flow | str] | None:
        view = read_view(connection, wanted.id)
        if view is None:
            return None
        return view, revisions.load(connection, view.run.revision, site.adapter.catalogue)

    found = await site.read(read)
    if found is None:
        return None
    view, flow = found
    if isinstance(flow, str):
        raise RefusedError(f"no test can be made of the run {wanted.id}: {flow}")
    saving = save(site.adapter, site.settings, flow, view, examples=wanted.personal == "examples")
    saved = await asyncio.to_thread(asyncio.run, saving)
    files = [Path(one.name).stem for one in site.serving.files if one.flow and one.flow.name == flow.name]
    return TestShown(
        run=view.run.id,
        flow=flow.name,
        personal=wanted.personal,
        file=f"{files[0] if files else flow.name}.test.yaml",
        text=saved.text,
        differences=[str(one) for one in saved.differences],
    )


async def read_file(site: Site, wanted: TestParams) -> tuple[str, str] | None:
    shown = await read_test(site, wanted)
    return None if shown is None else (shown.file, shown.text)


PAGES = (Page("/runs/{id}/test", "Run", "test.html", TestParams, TestShown, read_test),)
DOWNLOADS = (Download("/runs/{id}/test.yaml", "Run", "text/yaml", TestParams, read_file),)
