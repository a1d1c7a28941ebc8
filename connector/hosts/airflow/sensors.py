"""Waits for new leads in a DAG."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, Variable
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from connector.errors import ActionError, ConnectorError
from connector.hosts.airflow.hook import DEFAULT_CONNECTION, ChatForgeHook
from connector.hosts.airflow.triggers import LeadTrigger
from connector.hosts.polling import find


class NewLeadSensor(BaseOperator):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Waits until there are new leads, and returns them as XCom: a list of `{"identity", "lead"}`, at most a page.

    `input` is that of the trigger `chatforge.new_lead`: `agent_id`, `start`, `every`. What was found so far is kept in
    the Variable `state_variable`, together with the leads of the last run, in one write: a task that is tried again
    gets the same leads again, the next run those that came after them. So one run at a time; two tasks need two
    Variables; each of a mapped task has its own, with `__` and its index behind the name. The wait itself is in the
    triggerer, and ends with `execution_timeout`.
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
        self.input, self.chatforge_conn_id = input or {}, chatforge_conn_id
        self.state_variable = state_variable or f"chatforge_new_lead__{self.dag_id}__{self.task_id}"

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        kept = self._kept(context)
        if kept.get("run") == context["ti"].run_id:
            return list(kept["leads"])
        hook = ChatForgeHook(self.chatforge_conn_id)
        try:
            with hook.get_conn() as blocking:
                found = blocking.wait(find(blocking.adapter, self.input, kept.get("state")))
        except ConnectorError as error:
            again = isinstance(error, ActionError) and error.transient
            kind = AirflowException if again else AirflowFailException
            raise kind(f"new leads cannot be polled: {hook.told(error)}") from None
        if found.leads:
            return self._keep(context, found.leads, found.state)
        # With the state of a whole round, a triggerer that starts again knows what is new.
        trigger = LeadTrigger(self.chatforge_conn_id, self.input, found.state)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=self.execution_timeout)
        raise AssertionError("defer raises")

    def execute_complete(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Called with what the trigger found."""
        if "error" in event:
            raise AirflowFailException(f"new leads cannot be polled: {event['error']}")
        return self._keep(context, event["leads"], event["state"])

    def _variable(self, context: Mapping[str, Any]) -> str:
        index = context["ti"].map_index
        return self.state_variable if index < 0 else f"{self.state_variable}__{index}"

    def _kept(self, context: Mapping[str, Any]) -> dict[str, Any]:
        found = Variable.get(self._variable(context), default=None)
        return dict(json.loads(found)) if found else {}

    def _keep(self, context: Mapping[str, Any], leads: list[dict[str, Any]], state: Any) -> list[dict[str, Any]]:
        kept = {"run": context["ti"].run_id, "leads": leads, "state": state}
        Variable.set(self._variable(context), json.dumps(kept))
        return leads
