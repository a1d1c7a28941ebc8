"""The connection type `chatforge`: the API key is its password, the base URL its host, which may be empty."""

from typing import Any

from airflow.sdk import BaseHook

from connector.adapter import Adapter
from connector.blocking import BlockingAdapter
from connector.errors import ConnectorError
from connector.hosts.accounts import make_adapter, told

DEFAULT_CONNECTION = "chatforge_default"


class ChatForgeHook(BaseHook):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Gives adapters for an Airflow connection. Their errors never hold the key."""

    conn_name_attr = "chatforge_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "chatforge"
    hook_name = "ChatForge"

    def __init__(self, chatforge_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.chatforge_conn_id = chatforge_conn_id

    def get_conn(self) -> BlockingAdapter:
        """An adapter to close after use. Raises ConnectorError."""
        return BlockingAdapter(self._adapter(self.get_connection(self.chatforge_conn_id)))

    async def aget_conn(self) -> Adapter:
        """The same for the event loop of a triggerer."""
        return self._adapter(await self.aget_connection(self.chatforge_conn_id))

    def _adapter(self, connection: Any) -> Adapter:
        places = {"key_place": self._place_of("password"), "url_place": self._place_of("host")}
        return make_adapter(connection.password or "", connection.host or "", **places)

    def _place_of(self, field: str) -> str:
        return f"the {field} of the Airflow connection {self.chatforge_conn_id!r}"

    def told(self, error: ConnectorError) -> str:
        """What a log shows of an error."""
        return told(error, self._place_of("password"))

    def test_connection(self) -> tuple[bool, str]:
        """For the Test button: lists the agents, which costs one request."""
        try:
            with self.get_conn() as adapter:
                agents = adapter.check_connection("chatforge")["agents"]
        except ConnectorError as error:
            return False, self.told(error)
        return True, f"ChatForge takes the key; agents in the account: {len(agents)}"
