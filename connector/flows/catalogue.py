"""What the checker knows of the installed triggers, actions and connections: names and types, no plugin."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connector.flows import json_schema, types
from connector.flows.types import Object, Type

Refusal = Callable[[Mapping[str, Any]], tuple[str, str] | None]
Decide = Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A trigger or an action."""

    input: Object
    output: Type
    """An object, or a union of objects."""
    effect: str | None = None
    """The effect class of an action."""
    refuse: Refusal = lambda _input: None
    """What a schema cannot express: the field and the reason why a whole input is not taken, or None."""
    leaves_out: Collection[str] = ()
    """Effects of steps that may be left out, so that their output may be null."""
    constants: Collection[str] = ()
    """Inputs that are no place for expressions."""
    decide: Decide | None = None
    """What those that are given make of the operation: its effect and the JSON Schema of its output, as it is dumped.
    Raises ConstantError."""

    @property
    def left_out(self) -> bool:
        return self.effect in self.leaves_out

    def given(self, input: Mapping[str, Any]) -> "Operation":
        """The operation as the constants of the input make it. Raises ConstantError."""
        if self.decide is None:
            return self
        effect, output = self.decide({name: input[name] for name in self.constants if name in input})
        return replace(self, effect=effect, output=json_schema.read(output, written=True))

    @classmethod
    def of(
        cls,
        input: Mapping[str, Any],
        output: Mapping[str, Any],
        effect: str | None = None,
        refuse: Refusal = lambda _input: None,
    ) -> "Operation":
        """From the JSON Schema of the input and of the output, which is dumped with all its fields.

        Raises TypeError where one of them is no object.
        """
        read_input, read_output = json_schema.read(input), json_schema.read(output, written=True)
        if not isinstance(read_input, Object):
            raise TypeError(f"an input must be an object, not {read_input}")
        if not all(isinstance(part, Object) for part in types.parts(read_output)):
            raise TypeError(f"an output must be an object, not {read_output}")
        return cls(read_input, read_output, effect, refuse)


@dataclass(frozen=True, slots=True)
class Catalogue:
    triggers: Mapping[str, Operation]
    actions: Mapping[str, Operation]
    connections: Mapping[str, str] = field(default_factory=dict)
    """The connector of each named connection."""
