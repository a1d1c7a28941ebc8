"""Waits for new leads in a DAG."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, Variable
from airflow.sdk.exceptions import AirflowFailException

from connector.errors import ActionError
from connector.hosts.airflow.hook import DEFAULT_CONNECTION, ChatForgeHook
from connector.hosts.airflow.polling import look
from connector.hosts.airflow.triggers import LeadTrigger


class NewLeadSensor(BaseOperator):  # type: ignore[misc]
    """Waits until there are new leads, and returns them as XCom: a list of `{"identity", "lead"}`.

    `input` is that of the trigger `chatforge.new_lead`: `agent_id`, `start`, `every`. What was found so far is kept in
    the Variable `state_variable`, together with the leads of the last run, in one write: a task that is tried again
    gets the same leads again, the next run those that came after them. Two tasks need two Variables.
    """

    template_fields: Sequence[str] = ("input", "chatforge_conn_id", "state_variable")

    def __init__(
        self,
        *,
        input: Mapping[str, Any] | None = None,
        chatforge_conn_id: str = DEFAULT_CONNECTION,
        state_variable: str = "",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.input, self.chatforge_conn_id = dict(input or {}), chatforge_conn_id
        self.state_variable = state_variable or f"chatforge_new_lead__{self.dag_id}__{self.task_id}"

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        kept = self._kept()
        state = kept.get("state")
        if kept.get("run") == context["ti"].run_id:
            return list(kept["leads"])
        with ChatForgeHook(self.chatforge_conn_id).get_conn() as blocking:
            try:
                found, state = blocking.wait(look(blocking.adapter, self.input, state))
            except ActionError as error:
                if not error.transient:
                    raise AirflowFailException(f"new leads cannot be polled: {error}") from None
                found = []
        if found:
            return self._keep(context, found, state)
        self.defer(trigger=LeadTrigger(self.chatforge_conn_id, self.input, state), method_name="execute_complete")
        raise AssertionError("defer raises")

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Called with what the trigger found."""
        if "error" in event:
            raise AirflowFailException(f"new leads cannot be polled: {event['error']}")
        return self._keep(context, event["leads"], event["state"])

    def _kept(self) -> dict[str, Any]:
        found = Variable.get(self.state_variable, default=None)
        return dict(json.loads(found)) if found else {}

    def _keep(self, context: Mapping[str, Any], leads: list[dict[str, Any]], state: Any) -> list[dict[str, Any]]:
        kept = {"run": context["ti"].run_id, "leads": leads, "state": state}
        Variable.set(self.state_variable, json.dumps(kept))
        return leads
