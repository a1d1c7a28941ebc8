"""Reads typed fields out of a JSON object. Whatever is missing or of another type is refused with 400."""

from collections.abc import Collection
from typing import Any

from connector.sandbox import jsontext
from connector.sandbox.refusals import bad_request


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

    def whole(self, name: str) -> int | None:
        """A whole number, 1 or more."""
        value: int | None = self._typed(name, (int,), "a whole number")
        if value is not None and value < 1:
            raise bad_request(f"{name} must be 1 or more")
        return value

    def seconds(self, name: str) -> float | None:
        """A number, 0 or more."""
        value: float | None = self._typed(name, (int, float), "a number of seconds")
        if value is not None and value < 0:
            raise bad_request(f"{name} must be 0 or more")
        return value

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
