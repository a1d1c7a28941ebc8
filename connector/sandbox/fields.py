"""Reads typed fields out of a JSON object. Whatever is missing or of another type is refused with 400."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, NoReturn

from connector.sandbox import jsontext
from connector.sandbox.refusals import bad_request
from connector.sandbox.settings import DURATION, is_duration


class Fields:
    """The fields of one JSON object. An absent optional field is None; an explicit null is a wrong type."""

    def __init__(self, raw: bytes) -> None:
        try:
            value = jsontext.parse(raw)
        except ValueError as error:
            raise bad_request("body is not valid JSON") from error
        if not isinstance(value, dict):
            raise bad_request("body must be a JSON object")
        self.values: dict[str, Any] = value

    def only(self, *names: str) -> None:
        """Refuse any other field, for interfaces where an unknown one is a typing error."""
        unknown = sorted(self.values.keys() - set(names))
        if unknown:
            raise bad_request(f"unknown field {unknown[0]!r}; known are {', '.join(names)}")

    def text(self, name: str) -> str | None:
        """A string."""
        value: str | None = self._typed(name, (str,), "a string")
        return value

    def required_text(self, name: str) -> str:
        """A string that must be there and not be empty."""
        value = self.text(name)
        if not value:
            raise bad_request(f"{name} is required")
        return value

    def flag(self, name: str) -> bool | None:
        """true or false."""
        value: bool | None = self._typed(name, (bool,), "true or false")
        return value

    def whole(self, name: str, least: int = 1) -> int | None:
        """A whole number, `least` or more."""
        value: int | None = self._typed(name, (int,), "a whole number")
        if value is not None and value < least:
            raise bad_request(f"{name} must be {least} or more")
        return value

    def seconds(self, name: str) -> float | None:
        """A number from 0 to a day."""
        value: float | None = self._typed(name, (int, float), "a number of seconds")
        if value is not None and not is_duration(value):
            raise bad_request(f"{name} must be {DURATION[1]}")
        return value

    def time(self, name: str) -> datetime | None:
        """An ISO 8601 time with an offset from UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC) if moment.tzinfo else _refuse_time(name, text)
        except (ValueError, OverflowError):
            return _refuse_time(name, text)

    def choice(self, name: str, options: Collection[str]) -> str | None:
        """One of the given words."""
        value = self.text(name)
        if value is not None and value not in options:
            raise bad_request(f"{name} is {value!r}; expected one of {', '.join(options)}")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of strings; empty when absent."""
        values = self._typed(name, (list,), "a list of strings") or []
        if not all(isinstance(value, str) for value in values):
            raise bad_request(f"{name} must be a list of strings")
        return list(values)

    def numbers(self, name: str) -> list[float] | None:
        """A list of numbers."""
        values = self._typed(name, (list,), "a list of numbers")
        if values is None:
            return None
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            raise bad_request(f"{name} must be a list of numbers")
        return list(values)

    def mapping(self, name: str) -> dict[str, str]:
        """An object whose values are strings; empty when absent."""
        values = self._typed(name, (dict,), "an object of strings") or {}
        if not all(isinstance(value, str) for value in values.values()):
            raise bad_request(f"{name} must be an object of strings")
        return dict(values)

    def _typed(self, name: str, types: tuple[type, ...], expected: str) -> Any:
        if name not in self.values:
            return None
        value = self.values[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise bad_request(f"{name} must be {expected}")
        return value


def _refuse_time(name: str, text: str) -> NoReturn:
    raise bad_request(f"{name} is {text!r}; expected a time with its offset, such as 2026-03-25T10:00:00Z")
