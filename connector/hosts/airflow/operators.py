"""Runs an action as a task."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from connector.errors import ConnectorError
from connector.hosts.accounts import may_repeat
from connector.hosts.airflow.hook import DEFAULT_CONNECTION, ChatForgeHook


class ChatForgeOperator(BaseOperator):  # type: ignore[misc]
    """Runs an action of ChatForge and returns its output, plain JSON, as XCom.

    `action` is its full name, such as `chatforge.inject_message`, `input` what it takes; both may be templates. A
    failure is tried again by the task's `retries` only where that may help and can do nothing twice; other failures
    end the task.
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
        self.action, self.input, self.chatforge_conn_id = action, dict(input or {}), chatforge_conn_id

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        instance = context["ti"]
        key = f"{instance.dag_id}/{instance.run_id}/{instance.task_id}/{instance.map_index}"
        with ChatForgeHook(self.chatforge_conn_id).get_conn() as adapter:
            try:
                return adapter.run(self.action, self.input, idempotency_key=key)
            except ConnectorError as error:
                again = may_repeat(adapter.adapter, self.action, self.input, error)
                kind = AirflowException if again else AirflowFailException
                raise kind(f"{self.action}: {error}") from None
