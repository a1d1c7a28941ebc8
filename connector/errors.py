"""Every exception that this package raises on purpose.

ConnectorError
├── SettingsError            a setting is missing or wrong; names it and says where to get it
├── PluginError              a plugin could not be loaded; names the plugin and the reason
├── ConstantError            an input that a flow has to write out cannot be used; names it
├── UnknownOperationError    no trigger, action, connection or profile of that name
├── WebhookError             a delivery that is refused; carries the HTTP status of the refusal
├── EventError               an authenticated event whose content cannot be read; it is held, not lost
├── FlowError                a flow that does not check; carries its problems
├── FolderError              a folder of agents cannot be read or written, or does not go with the account
├── StoreError               the database cannot be opened, read or written
│   └── StoreLockedError     another process executes this database
└── ActionError              an action did not succeed; carries `kind`, `processed`, `transient`
    ├── InputError             kind "input"
    │   └── StateError           the state of a poll is of another input, or cannot be read
    ├── OutputError            kind "output"
    ├── RejectedError          kind "rejected"
    │   └── DuplicateError       kind "duplicate"
    ├── AuthenticationError    kind "authentication"
    ├── ForbiddenError         kind "permission"
    │   └── PlanError            kind "plan"
    ├── NotFoundError          kind "not_found"
    ├── RateLimitError         kind "rate_limit"
    ├── ServerError            kind "server"
    ├── NetworkError           kind "network"
    └── StepTimeoutError       kind "timeout"

A message is one sentence that starts in lower case, quotes the value, says what was expected and what to do,
and never holds a secret.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

Processed = Literal["no", "unknown"]

LOOK_FIRST = "it may have carried out the request, so look there before you repeat it"
"""What to do where `processed` is "unknown" and the request changes something."""


class ConnectorError(Exception):
    """The root of the tree. `str(error)` is the sentence for the user."""


class SettingsError(ConnectorError):
    """A setting is missing or wrong."""


class PluginError(ConnectorError):
    """A plugin is broken. `plugin` is the name of its entry point."""

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(f"plugin {plugin!r} cannot be loaded: {reason}")
        self.plugin = plugin


class ConstantError(ConnectorError):
    """An input that a flow writes out cannot be used. `name` is the input's."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class UnknownOperationError(ConnectorError):
    """There is no trigger, action, connection or profile of that name."""


class WebhookError(ConnectorError):
    """A webhook delivery is refused. `status` is the HTTP status to answer with."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class EventError(ConnectorError):
    """An event is authentic, but a field of it is not of the type that a trigger declares."""


class FlowError(ConnectorError):
    """Flows do not check. `problems` are what the checker found; `sources` are the texts of the files by path."""

    def __init__(self, message: str, problems: Sequence[object], sources: Mapping[str, str]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        self.sources = sources


class FolderError(ConnectorError):
    """A folder of agents cannot be read or written, or does not go with the account."""


class StoreError(ConnectorError):
    """The database cannot be opened, read or written.

    Nothing of the failed transaction was kept, unless the error says that nobody knows.
    """


class StoreLockedError(StoreError):
    """Another process executes this database."""


class ActionError(ConnectorError):
    """An action did not succeed.

    `processed` says whether the other side may have acted on the request: "no" when that is certain.
    `transient` says whether the same request may succeed later.
    `status` is the HTTP status of the answer, if there was one.
    `retry_after` is the number of seconds that the other side asked to be left alone.
    """

    kind: ClassVar[str] = "action"

    def __init__(
        self,
        message: str,
        *,
        processed: Processed = "no",
        transient: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.processed: Processed = processed
        self.transient = transient
        self.status = status
        self.retry_after = retry_after


class InputError(ActionError):
    """The input does not fit the action's model; nothing was sent."""

    kind = "input"


class StateError(InputError):
    """The state is not one of this poll and this input; without one, the poll begins anew."""


class OutputError(ActionError):
    """An answer came, but it does not fit the action's model.

    `discreet` is the sentence without what the answer holds, which may tell about a person.
    """

    kind = "output"

    def __init__(
        self,
        message: str,
        *,
        processed: Processed = "no",
        status: int | None = None,
        discreet: str = "the answer does not fit the action",
    ) -> None:
        super().__init__(message, processed=processed, status=status)
        self.discreet = discreet


class RejectedError(ActionError):
    """The request was refused as it is (400 and other 4xx); sending it again will not help."""

    kind = "rejected"


class DuplicateError(RejectedError):
    """There is one already (409)."""

    kind = "duplicate"


class AuthenticationError(ActionError):
    """The key is missing, wrong or revoked (401)."""

    kind = "authentication"


class ForbiddenError(ActionError):
    """The key is good, but may not do this (403)."""

    kind = "permission"


class PlanError(ForbiddenError):
    """The key is good, but its plan does not include this (403)."""

    kind = "plan"


class NotFoundError(ActionError):
    """What the request names does not exist, or belongs to another account (404)."""

    kind = "not_found"


class RateLimitError(ActionError):
    """Too many requests (429)."""

    kind = "rate_limit"


class ServerError(ActionError):
    """The other side failed (5xx)."""

    kind = "server"


class NetworkError(ActionError):
    """No answer came: refused, unreachable, cut or too late."""

    kind = "network"


class StepTimeoutError(ActionError):
    """A step's own `timeout` ended before its action did."""

    kind = "timeout"
