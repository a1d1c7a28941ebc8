"""Reads plain JSON into pydantic models, strictly, writes it, and says in one sentence what does not fit."""

import json
import re
from collections.abc import Mapping
from typing import Any, LiteralString, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Model = TypeVar("Model", bound=BaseModel)

_MOST = 3  # faults that one sentence names
_MOST_LOOKED_AT = 1_000
_LONGEST = 60  # characters of a quoted value
_SURROGATE = re.compile("[\ud800-\udfff]")
_REASONS = {"missing": "is missing", "extra_forbidden": "is not known here"}


def read(model: type[Model], value: Mapping[str, Any]) -> Model:
    """An instance of `model`; nothing is converted except what JSON writes as text, such as times.

    Raises pydantic's ValidationError, also where `value` is not plain JSON, or where a validator of the model fails
    in another way; `sentence` renders it.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _fault_of(model, "not_json", f"expected plain JSON, with times as ISO 8601 text ({error})") from None
    try:
        return _read_text(model, text, value)
    except ValidationError:
        raise
    except Exception as error:  # whatever a stranger's validator raises; its text may hold a secret
        raise _fault_of(model, "failed", f"its check failed, {type(error).__name__}") from None


def _read_text(model: type[Model], text: str, value: Mapping[str, Any]) -> Model:
    whole = replace_surrogates(text)
    read = model.model_validate_json(whole, strict=True)
    # pydantic's JSON reader refuses lone surrogates, which a visitor may well type. Its Python reader takes them,
    # but it also converts, so it only sees what was found to fit.
    return read if whole == text else model.model_validate(value, strict=False)


def replace_surrogates(text: str) -> str:
    """The text with U+FFFD for each half of a character, which UTF-8 cannot carry; two that belong together are one."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def refuse(model: type[BaseModel], value: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first field that does not fit (empty where it is the whole), and the sentence; None where all fits."""
    try:
        read(model, value)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        return str(place[0]) if place else "", sentence(error)
    return None


def write(model: type[BaseModel], value: object) -> dict[str, Any]:
    """The instance of `model` as plain JSON; TypeError or ValueError where it is none, or cannot be JSON."""
    if not isinstance(value, model):
        raise TypeError(f"{type(value).__name__} instead of {model.__name__}")
    plain = value.model_dump(mode="json", warnings="error")
    json.dumps(plain, allow_nan=False)
    return plain


def sentence(error: ValidationError, *, quote: bool = True) -> str:
    """`email: input should be a valid string, not 42; …`, without addresses and with at most three faults.

    `quote=False` leaves out what was given, where that may be a secret.
    """
    if error.error_count() > _MOST_LOOKED_AT:  # to list them all takes seconds and gigabytes
        return f"{error.error_count():,} values are not what is expected"
    details = error.errors()
    faults = [_fault(detail, quote) for detail in details[:_MOST]]
    if len(details) > _MOST:
        faults.append(f"and {len(details) - _MOST} more")
    return "; ".join(faults)


def quoted(value: object) -> str:
    """The value as Python writes it, on one line and not too long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _fault_of_tag(place: str, detail: Any, quote: bool) -> str:
    """The key that says which kind of object it is. pydantic quotes it and the kinds."""
    context = detail["ctx"]
    key = context["discriminator"].strip("'")
    where = f"{place}.{key}" if place else key
    if detail["type"] == "union_tag_not_found":
        return f"{where} is missing"
    named = f", not {quoted(context['tag'])}" if quote else ""
    return f"{where}: expected one of {context['expected_tags']}{named}"


def _fault_of(model: type[BaseModel], kind: LiteralString, reason: str) -> ValidationError:
    fault = InitErrorDetails(type=PydanticCustomError(kind, "{reason}", {"reason": reason}), input={})
    return ValidationError.from_exception_data(model.__name__, [fault])


def _fault(detail: Any, quote: bool) -> str:
    # The names may be a stranger's, as those of unknown fields are.
    place = ".".join(repr(part)[1:-1] if isinstance(part, str) else str(part) for part in detail["loc"])
    if reason := _REASONS.get(detail["type"]):
        return f"{place} {reason}"
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _fault_of_tag(place, detail, quote)
    message = " ".join(detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").split())
    message = message.rstrip(".")
    if message[1:2].islower():
        message = message[:1].lower() + message[1:]
    if quote and not isinstance(detail["input"], dict | BaseModel):
        message += f", not {quoted(detail['input'])}"
    return f"{place}: {message}" if place else message
