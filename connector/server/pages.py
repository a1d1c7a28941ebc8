"""Declares pages: what one shows is a model, and the same as JSON below /api."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from connector.errors import ConnectorError
from connector.server.access import Visitor
from connector.server.site import Site


class Params(BaseModel):
    """What stands in the path and the query of a page. An empty field of a form is as not given."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True, slots=True)
class Page:
    """`read` gives what the page shows; None where there is no such thing."""

    path: str
    title: str
    template: str
    params: type[Params]
    shows: type[BaseModel]
    read: Callable[[Site, Any], Awaitable[BaseModel | None]]
    asks: Callable[[Any], bool] = lambda _wanted: False
    """Whether to read it sends requests, which the budget counts: no other site may lead there."""


@dataclass(frozen=True, slots=True)
class Download:
    """A page as a file. `read` gives its name and its text."""

    path: str
    title: str
    media_type: str
    params: type[Params]
    read: Callable[[Site, Any], Awaitable[tuple[str, str] | None]]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a person does. `do` gives the path of the page that shows it; raises ConnectorError."""

    path: str
    title: str
    params: type[Params]
    do: Callable[[Site, Any, Visitor], Awaitable[str]]


class FormError(ConnectorError):
    """What was given cannot be used, and nothing was done. A form is shown again at `path`, with the sentence."""

    def __init__(self, sentence: str, path: str) -> None:
        super().__init__(sentence)
        self.path = path
