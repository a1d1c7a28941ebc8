"""What an agent has, and where it stands: the settings in agent.yaml, each long text in a file of its own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.validation import replace_surrogates

SETTINGS: Mapping[str, type] = {"name": str, "welcome_message": str, "active": bool, "primary_color": str}
FILES: Mapping[str, str] = {"system_prompt": "prompt.md", "knowledge_base": "knowledge_base.txt"}
FIELDS = (*SETTINGS, *FILES)
SETTINGS_FILE = "agent.yaml"
OTHERS_FILE = "read-only.json"

Values = Mapping[str, Any]
"""By the name of a field. A field that is not given is not in it: ChatForge may leave any out."""


@dataclass(frozen=True, slots=True)
class RemoteAgent:
    """An agent as ChatForge shows it. `others` cannot be changed through the API, or came to it later."""

    id: str
    values: Values
    others: Values

    @property
    def name(self) -> str:
        return str(self.values.get("name", ""))


def read_agent(agent: Values) -> RemoteAgent:
    """From the output of `get_agent` or `list_agents`. In agent.yaml half a character stands as U+FFFD."""
    values = {name: agent[name] for name in FIELDS if agent.get(name) is not None}
    for name, kind in SETTINGS.items():
        if kind is str and name in values:
            values[name] = replace_surrogates(values[name])
    others = {name: value for name, value in agent.items() if name not in FIELDS and name != "id"}
    return RemoteAgent(agent["id"], values, others)


def digest(value: object) -> str:
    """What stands for a value in the state file."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def place_of(field: str, folder: str) -> str:
    """`welcome_message in sales/agent.yaml`, `sales/prompt.md`."""
    return f"{folder}/{FILES[field]}" if field in FILES else f"{field} in {folder}/{SETTINGS_FILE}"
