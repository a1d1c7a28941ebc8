"""A provider for Airflow 3.3: a connection type, an operator, a sensor and a trigger for assets."""

from importlib.metadata import version
from typing import Any


def get_provider_info() -> dict[str, Any]:
    """What Airflow reads of a provider, without importing Airflow."""
    return {
        "package-name": "chatforge-connector",
        "name": "ChatForge",
        "description": "Agents, conversations and leads of ChatForge.",
        "versions": [version("chatforge-connector")],
        "connection-types": [
            {
                "connection-type": "chatforge",
                "hook-class-name": "connector.hosts.airflow.hook.ChatForgeHook",
                "hook-name": "ChatForge",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "port", "schema", "extra"],
                    "relabeling": {"password": "API key", "host": "Base URL"},
                    "placeholders": {
                        "password": "from the ChatForge Dashboard, Integrations",
                        "host": "empty for ChatForge itself",
                    },
                },
            }
        ],
    }
