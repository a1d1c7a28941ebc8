"""OpenAPI 3.1 of what stands below /api, from the declarations of the pages and changes."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from connector.profiles import convert
from connector.server.access import TOKEN_HEADER
from connector.server.pages import Change, Page, Params

_ERROR = {
    "description": "One sentence that says what is wrong.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
        }
    },
}


def describe(pages: Iterable[Page], changes: Iterable[Change]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for page in pages:
        path = f"/api{page.path}" if page.path != "/" else "/api/home"
        paths[path] = {"get": _page(page)}
    for change in changes:
        paths[f"/api{change.path}"] = {"post": _change(change)}
    return {"openapi": "3.1.0", "info": {"title": "chatforge serve", "version": _version()}, "paths": paths}


def _version() -> str:
    return version("chatforge-connector")


def _page(page: Page) -> dict[str, Any]:
    return {
        "summary": page.title,
        "parameters": _parameters(page.params, page.path),
        "responses": {
            "200": _answer(_schema(page.shows, "serialization")),
            **_errors("401", "403", "404", "421", "422", "429", "503"),
        },
    }


def _change(change: Change) -> dict[str, Any]:
    schema = _schema(change.params, "validation")
    in_path = _names(change.path)
    body = {
        "type": "object",
        "properties": {name: part for name, part in schema["properties"].items() if name not in in_path},
        "required": [name for name in schema.get("required", ()) if name not in in_path],
    }
    token = {"name": TOKEN_HEADER, "in": "header", "required": True, "schema": {"type": "string"}}
    made = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return {
        "summary": change.title,
        "parameters": [*_parameters(change.params, change.path, only_path=True), token],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": _answer(made), **_errors("400", "401", "403", "409", "413", "421", "422", "429", "503")},
    }


def _parameters(params: type[Params], path: str, *, only_path: bool = False) -> list[dict[str, Any]]:
    schema = _schema(params, "validation")
    in_path = _names(path)
    return [
        {
            "name": name,
            "in": "path" if name in in_path else "query",
            "required": name in in_path,
            "schema": part,
        }
        for name, part in schema.get("properties", {}).items()
        if name in in_path or not only_path
    ]


def _names(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _schema(model: type[BaseModel], mode: Any) -> dict[str, Any]:
    return convert(model.model_json_schema(mode=mode), "plain")


def _answer(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": "As the page shows it.", "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: str) -> dict[str, Any]:
    return dict.fromkeys(statuses, _ERROR)
