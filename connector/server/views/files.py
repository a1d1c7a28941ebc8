"""Flow files as they are now, line by line, with what is wrong in them."""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from connector.flows.folder import find_name
from connector.flows.problems import Problem
from connector.server.flow_files import FlowFile
from connector.server.pages import Page, Params
from connector.server.site import Site

Severity = Literal["problem", "warning"]


class ProblemShown(BaseModel):
    severity: Severity = Field(description="A warning: a value of any type is looked at only when the flow runs.")
    column: int = Field(description="From 1, in characters, as `end_column`, which is exclusive.")
    end_column: int
    sentence: str
    rule: str


class LineShown(BaseModel):
    number: int
    text: str
    problems: Sequence[ProblemShown]


class FileRow(BaseModel):
    name: str
    flow: str | None = Field(description="The name of the flow that is served of it.")
    named: str | None = Field(description="The name that the file gives its flow now.")
    sentence: str = Field(description="What the server makes of it.")
    served: bool = Field(description="Whether the server has this text.")
    problems: int
    warnings: int
    path: str = Field(description="The page that shows it, at its first problem.")


class FileShown(FileRow):
    lines: Sequence[LineShown]


class FileParams(Params):
    id: str = Field(max_length=300, description="The name of a file in the folder of the flows.")


async def read_file(site: Site, wanted: FileParams) -> FileShown | None:
    found = next((one for one in site.serving.files if one.name == wanted.id), None)
    return FileShown(**dict(row_of(found)), lines=lines_of_file(found)) if found else None


def row_of(file: FlowFile) -> FileRow:
    return FileRow(
        name=file.name,
        flow=file.flow.name if file.flow else None,
        named=find_name(file.source),
        sentence=_sentence(file),
        served=file.why is None,
        problems=len(file.problems),
        warnings=len(file.warnings),
        path=path_of(file),
    )


def path_of(file: FlowFile) -> str:
    page = f"/flows/{quote(file.flow.name)}" if file.flow else f"/flows/files/{quote(file.name)}"
    return f"{page}#line-{file.problems[0].line}" if file.problems else page


def lines_of_file(file: FlowFile) -> list[LineShown]:
    """Its lines, each with what is wrong in it."""
    texts = file.source.removesuffix("\n").split("\n")
    at: dict[int, list[ProblemShown]] = {}
    for problem in file.problems:
        at.setdefault(min(problem.line, len(texts)), []).append(_problem(problem, "problem"))
    for warning in file.warnings:
        at.setdefault(min(warning.line, len(texts)), []).append(_problem(warning, "warning"))
    return [LineShown(number=number, text=text, problems=at.get(number, [])) for number, text in enumerate(texts, 1)]


def _problem(problem: Problem, severity: Severity) -> ProblemShown:
    hint = f"; {problem.hint}" if problem.hint else ""
    return ProblemShown(
        severity=severity,
        column=problem.column,
        end_column=problem.end_column,
        sentence=f"{problem.message}{hint}",
        rule=problem.rule,
    )


def _sentence(file: FlowFile) -> str:
    if file.why is None:
        return "The server has this text."
    rest = "the server goes on with what it read before" if file.flow else "nothing of it is served"
    return f"It {'has problems' if file.problems else 'is not taken over'}, {rest}: {file.why}"


PAGES = (Page("/flows/files/{id}", "File", "file.html", FileParams, FileShown, read_file),)
