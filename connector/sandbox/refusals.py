"""Requests that are not served, and why."""

from collections.abc import Mapping


class RefusedError(Exception):
    """A request is answered with `status`, with `headers`, and with the sentence in a body of the chosen style."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def not_found(kind: str, name: str) -> RefusedError:
    """The refusal for something that does not exist, such as an agent."""
    return RefusedError(404, f"{kind} {name!r} not found")


def bad_request(message: str) -> RefusedError:
    """The refusal for a request that is wrong in itself."""
    return RefusedError(400, message)
