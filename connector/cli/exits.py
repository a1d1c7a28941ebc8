"""Exit codes, and which error ends with which."""

from connector.errors import (
    AuthenticationError,
    ConnectorError,
    ForbiddenError,
    NetworkError,
    SettingsError,
    UnknownOperationError,
)

DONE = 0
FAILED = 1
"""Something failed, or a flow has problems."""
USAGE = 2
"""The command or a setting is wrong."""
AUTHENTICATION = 3
NETWORK = 4
INTERNAL = 70


def code_of(error: type[ConnectorError]) -> int:
    for kinds, code in (
        ((UsageError, SettingsError, UnknownOperationError), USAGE),
        ((AuthenticationError, ForbiddenError), AUTHENTICATION),
        ((NetworkError,), NETWORK),
    ):
        if issubclass(error, kinds):
            return code
    return FAILED


def of_kind(kind: str) -> int:
    """The code for the kind of a run's failure."""
    return {"authentication": AUTHENTICATION, "plan": AUTHENTICATION, "network": NETWORK, "settings": USAGE}.get(
        kind, FAILED
    )


class UsageError(ConnectorError):
    """An argument is wrong; ends with `USAGE`."""
