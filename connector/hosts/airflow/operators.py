"""Runs an action as a task."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from connector.blocking import BlockingAdapter
from connector.errors import LOOK_FIRST, ActionError, ConnectorError
from connector.hosts.accounts import is_repeatable, may_repeat
from connector.hosts.airflow.hook import DEFAULT_CONNECTION, ChatForgeHook

_ATTEMPT = "chatforge.attempt"
"""The key in the task's state store of what an attempt has begun, and what came of it."""


class ChatForgeOperator(BaseOperator):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Runs an action of ChatForge and returns its output, plain JSON, as XCom.

    `action` is its full name, such as `chatforge.inject_message`, `input` what it takes; both may be templates. A
    failure is tried again by the task's `retries` only where that may help and can do nothing twice; other failures
    end the task. So does an attempt whose worker died, where the action may not be repeated: clearing the task, which
    a person does, runs it anew.
    """

    template_fields: Sequence[str] = ("action", "input", "chatforge_conn_id")

    def __init__(
        self,
        *,
        action: str,
        input: Mapping[str, Any] | None = None,
        chatforge_conn_id: str = DEFAULT_CONNECTION,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.action, self.input, self.chatforge_conn_id = action, input or {}, chatforge_conn_id

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        hook = ChatForgeHook(self.chatforge_conn_id)
        again = False
        try:
            with hook.get_conn() as adapter:
                try:
                    return self._run(adapter, context)
                except ConnectorError as error:
                    again = may_repeat(adapter.adapter, self.action, self.input, error)
                    raise
        except ConnectorError as error:
            kind = AirflowException if again else AirflowFailException
            raise kind(f"{self.action}: {hook.told(error)}") from None

    def _run(self, adapter: BlockingAdapter, context: Mapping[str, Any]) -> dict[str, Any]:
        instance = context["ti"]
        key = f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"
        if is_repeatable(adapter.adapter, self.action, self.input):
            return adapter.run(self.action, self.input, idempotency_key=key)
        store, tries = context["task_state_store"], instance.max_tries
        begun = store.get(_ATTEMPT) or {}
        if begun.get("max_tries") == tries:  # clearing a task gives it more tries, a retry does not
            return self._earlier(begun)
        store.set(_ATTEMPT, {"max_tries": tries})
        try:
            output = adapter.run(self.action, self.input, idempotency_key=key)
        except ConnectorError as error:
            if not isinstance(error, ActionError) or error.processed == "no":
                store.delete(_ATTEMPT)
            raise
        store.set(_ATTEMPT, {"max_tries": tries, "output": output})
        return output

    def _earlier(self, begun: Mapping[str, Any]) -> dict[str, Any]:
        if "output" in begun:
            return dict(begun["output"])
        raise ConnectorError(
            f"an earlier attempt ended while it waited for ChatForge; {LOOK_FIRST}: clear this task for that"
        )
