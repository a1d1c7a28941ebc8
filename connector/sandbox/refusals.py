"""Requests that are not served, and why."""


class RefusedError(Exception):
    """A request is answered with `status` and `{"error": str(refusal)}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def not_found(kind: str, name: str) -> RefusedError:
    """The refusal for something that does not exist, such as an agent."""
    return RefusedError(404, f"{kind} {name!r} not found")


def bad_request(message: str) -> RefusedError:
    """The refusal for a request that is wrong in itself."""
    return RefusedError(400, message)
