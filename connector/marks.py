"""What the schema of a field says to hosts beside its type.

AgentId = Annotated[str, chosen_from("list_agents", "agents")]
VisitorEmail = Annotated[str | None, PERSONAL]
"""

from typing import Annotated, Any, Final

from pydantic import Field, JsonValue
from pydantic.fields import FieldInfo

CHOICES: Final = "x-choices"
"""The key in JSON Schema of where the values of an input are listed."""
ABOUT_A_PERSON: Final = "x-personal"
"""The key in JSON Schema of a field that tells about a person."""
LONG_TEXTS: Final = (
    "content",
    "system_prompt",
    "knowledge_base",
    "welcome_message",
    "text",
    "html",
    "note",
    "comment",
    "description",
)
"""Inputs that a form shows with several lines."""


def chosen_from(action: str, items: str, *, value: str = "id", label: str = "name", cursor: str | None = None) -> Any:
    """The values of this input are `value` of what a read action of the same plugin lists under `items`.

    `action` is without the plugin's name. It is asked with those inputs of the operation that it has too, so the
    conversations to choose from are those of the agent that was chosen. `cursor` is the input of it that gets
    `next_<cursor>` of its output for the next page.
    """
    place: dict[str, JsonValue] = {"action": action, "items": items, "value": value, "label": label}
    return Field(json_schema_extra={CHOICES: {**place, "cursor": cursor} if cursor else place})


PERSONAL: Final[FieldInfo] = Field(json_schema_extra={ABOUT_A_PERSON: True})
"""Of a field that tells about a person: hosts that show data to others leave it out unless they are asked for it."""

PersonalText = Annotated[str | None, PERSONAL]
