"""The connection type `chatforge`: the API key is its password, the base URL its host, which may be empty."""

from typing import Any

from airflow.sdk import BaseHook

from connector.adapter import Adapter
from connector.blocking import BlockingAdapter
from connector.errors import ConnectorError
from connector.hosts.accounts import make_adapter

DEFAULT_CONNECTION = "chatforge_default"


class ChatForgeHook(BaseHook):  # type: ignore[misc]
    """Gives adapters for an Airflow connection. Their errors never hold the key."""

    conn_name_attr = "chatforge_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "chatforge"
    hook_name = "ChatForge"

    def __init__(self, chatforge_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.chatforge_conn_id = chatforge_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        return {
            "hidden_fields": ["login", "port", "schema", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"host": "empty for ChatForge itself", "password": "Dashboard → Integrations"},
        }

    def get_conn(self) -> BlockingAdapter:
        """An adapter to close after use. Raises ConnectorError."""
        connection = self.get_connection(self.chatforge_conn_id)
        return BlockingAdapter(make_adapter(connection.password or "", connection.host or ""))

    async def aget_conn(self) -> Adapter:
        """The same for the event loop of a triggerer."""
        connection = await self.aget_connection(self.chatforge_conn_id)
        return make_adapter(connection.password or "", connection.host or "")

    def test_connection(self) -> tuple[bool, str]:
        """For the Test button: lists the agents, which costs one request."""
        try:
            with self.get_conn() as adapter:
                agents = adapter.check_connection("chatforge")["agents"]
        except ConnectorError as error:
            return False, str(error)
        return True, f"the key is accepted; agents of the account: {len(agents)}"
