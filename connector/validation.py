"""Reads plain JSON into pydantic models, strictly, and says in one sentence what does not fit."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_MOST = 3  # faults that one sentence names


def read(model: type[Model], value: Mapping[str, Any]) -> Model:
    """An instance of `model`; nothing is converted except what JSON writes as text, such as times.

    Raises pydantic's ValidationError; `sentence` renders it.
    """
    try:
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        if all(detail["type"] != "json_invalid" for detail in error.errors(include_url=False, include_input=False)):
            raise
    # pydantic's JSON reader refuses lone surrogates, which a visitor may well type; its Python reader takes them.
    return model.model_validate(value)


def sentence(error: ValidationError) -> str:
    """`email: input should be a valid string, not 42; …`, without addresses and with at most three faults."""
    details = error.errors(include_url=False)
    faults = [_fault(detail) for detail in details[:_MOST]]
    if len(details) > _MOST:
        faults.append(f"and {len(details) - _MOST} more")
    return "; ".join(faults)


def _fault(detail: Any) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ").rstrip(".")
    message = message[:1].lower() + message[1:]
    if detail["type"] in ("missing", "extra_forbidden"):
        message = {"missing": "is missing", "extra_forbidden": "is not known here"}[detail["type"]]
        return f"{place} {message}"
    shown = "" if isinstance(detail["input"], dict) else f", not {_shortened(detail['input'])}"
    return f"{place}: {message}{shown}" if place else f"{message}{shown}"


def _shortened(value: object) -> str:
    text = ascii(value) if not isinstance(value, str) else repr(value).encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 60 else f"{text[:60]}…"
