"""Tasks that run actions."""

from collections.abc import Mapping
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.tasks import exponential_backoff

from connector import registry
from connector.errors import ConnectorError
from connector.hosts.accounts import may_repeat
from connector.hosts.prefect.credentials import ChatForgeCredentials

_RETRIES = 5
_FIRST_PAUSE = 2
"""Seconds; each further pause is twice as long."""


class ActionFailedError(Exception):
    """An action did not succeed; its text says why and what to do. `again` is whether the task may try it again."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again


def make_task(action: str, **options: Any) -> Task[..., dict[str, Any]]:
    """A task that takes ChatForgeCredentials and the input of the action, and returns its output; all plain JSON.

    It tries again only what may help and can do nothing twice; `options` are those of a task. Raises
    UnknownOperationError where there is no such action.
    """
    title = registry.load().action(action).title

    def run(credentials: ChatForgeCredentials, input: Mapping[str, Any]) -> dict[str, Any]:
        again = False
        try:
            with credentials.get_client() as adapter:
                try:
                    return adapter.run(action, input)
                except ConnectorError as error:
                    again = may_repeat(adapter.adapter, action, input, error)
                    raise
        except ConnectorError as error:
            raise ActionFailedError(f"{action}: {credentials.told(error)}", again=again) from None

    pauses = exponential_backoff(_FIRST_PAUSE)
    run.__name__ = run.__qualname__ = action  # Prefect tells tasks apart by it
    kept = {"name": title, "retries": _RETRIES, "retry_delay_seconds": pauses, "retry_jitter_factor": 1.0}
    # Without a cache, a second call with the same input is a second request.
    return Task(run, **(kept | {"retry_condition_fn": _may_help, "cache_policy": NO_CACHE} | options))


def _may_help(_task: Any, _run: Any, state: Any) -> bool:
    error = state.data if isinstance(state.data, Exception) else state.result(raise_on_failure=False)
    return isinstance(error, ActionFailedError) and error.again
