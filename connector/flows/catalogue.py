"""What the checker knows of the installed triggers, actions and connections: names and types, no plugin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.flows import types
from connector.flows.types import Object, Type


@dataclass(frozen=True, slots=True)
class Operation:
    """A trigger or an action."""

    input: Object
    output: Type
    effect: str | None = None
    """The effect class of an action."""

    @classmethod
    def of(cls, input: Mapping[str, Any], output: Mapping[str, Any], effect: str | None = None) -> "Operation":
        """From the JSON Schema of the input and of the output."""
        read = types.from_schema(input)
        if not isinstance(read, Object):
            raise TypeError(f"an input must be an object, not {read}")
        return cls(read, types.from_schema(output), effect)


@dataclass(frozen=True, slots=True)
class Catalogue:
    triggers: Mapping[str, Operation]
    actions: Mapping[str, Operation]
    connections: Mapping[str, str] = field(default_factory=dict)
    """The connector of each named connection."""
