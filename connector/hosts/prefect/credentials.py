"""The block `ChatForge Credentials`: an account's API key."""

from typing import Any

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, SecretStr

from connector.blocking import BlockingAdapter
from connector.errors import ConnectorError
from connector.hosts.accounts import make_adapter, told

_KEY_PLACE = "api_key of the block ChatForge Credentials"


class ChatForgeCredentials(CredentialsBlock):  # type: ignore[misc] # Prefect is not installed where types are checked
    """The account of ChatForge that a flow uses."""

    _block_type_name = "ChatForge Credentials"
    _block_type_slug = "chatforge-credentials"

    api_key: SecretStr = Field(description="From the ChatForge Dashboard, Integrations.")
    base_url: str = Field("", title="Base URL", description="Empty for ChatForge itself.")

    def get_client(self) -> BlockingAdapter:
        """An adapter to close after use. Raises ConnectorError."""
        key = self.api_key.get_secret_value()
        return BlockingAdapter(
            make_adapter(key, self.base_url, key_place=_KEY_PLACE, url_place="base_url of the block")
        )

    def told(self, error: ConnectorError) -> str:
        """What a log shows of an error."""
        return told(error, _KEY_PLACE)

    def check(self) -> dict[str, Any]:
        """Lists the agents, which costs one request and shows that the key is good. Raises ConnectorError."""
        with self.get_client() as adapter:
            return adapter.check_connection("chatforge")
