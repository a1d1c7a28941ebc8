"""What the types say of every model that a plugin registers, against what the model itself says."""

import datetime
import enum
import typing
import uuid
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from random import Random
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Union

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model
from typing_extensions import TypeAliasType, TypedDict

from connector.declare import Action, Trigger
from connector.flows import json_schema, types
from connector.flows.types import ANY, ListOf, Object, Type
from connector.registry import GROUP, load, operation_of
from connector.validation import read

MakeValue = Callable[[Type, Random], Any]

_OF_VALUE = {"greater_than_equal", "less_than_equal", "greater_than", "string_too_short", "value_error"}
"""The faults of a value that has the right type."""


@pytest.fixture(scope="module")
def declared(built_in_points: list[EntryPoint]) -> dict[str, Action | Trigger]:
    """The operations of all plugins here, the sample included."""
    registry = load([*built_in_points, EntryPoint("greetings", "sample_plugin.greetings", GROUP)])
    return {**registry.actions, **registry.triggers}


def unknown_in_type(kind: Type, path: str = "", inside: tuple[Type, ...] = ()) -> Iterator[str]:
    """The paths at which the type is `any`."""
    for part in types.parts(kind):
        if part in inside:
            continue
        if part == ANY:
            yield path
        elif isinstance(part, ListOf):
            yield from unknown_in_type(part.item, f"{path}[]", (*inside, part))
        elif isinstance(part, Object):
            for name, field in part.fields.items():
                yield from unknown_in_type(field, f"{path}.{name}", (*inside, part))
            if part.extra is not None:
                yield from unknown_in_type(part.extra, f"{path}.*", (*inside, part))


def unknown_in_model(annotation: Any, path: str = "", inside: tuple[Any, ...] = ()) -> Iterator[str]:
    """The paths at which the model says Any, or takes whatever comes."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, object, JsonValue):
        yield path
    elif annotation in inside or origin is Literal:
        return
    elif isinstance(annotation, TypeAliasType):
        yield from unknown_in_model(annotation.__value__, path, (*inside, annotation))
    elif origin is Annotated:
        yield from unknown_in_model(arguments[0], path, inside)
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from unknown_in_model(argument, path, inside)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from unknown_in_model(field.annotation, f"{path}.{name}", (*inside, annotation))
        if annotation.model_config.get("extra") == "allow":
            yield f"{path}.*"
    elif arguments:  # a list, or a map from texts
        yield from unknown_in_model(arguments[-1], f"{path}[]" if len(arguments) == 1 else f"{path}.*", inside)


def test_only_what_a_model_calls_any_is_any(declared: dict[str, Action | Trigger]) -> None:
    for name, operation in declared.items():
        known = operation_of(operation)
        for model, kind in ((operation.input, known.input), (operation.output, known.output)):
            assert set(unknown_in_type(kind)) == set(unknown_in_model(model)), f"{name}: {model.__name__}"


def faults(model: type[BaseModel], value: Any) -> set[str]:
    try:
        read(model, value)
    except ValidationError as error:
        return {fault["type"] for fault in error.errors()}
    return set()


def test_values_of_the_types_are_values_of_the_models(
    declared: dict[str, Action | Trigger], make_value: MakeValue
) -> None:
    random, fitting = Random(1), 0  # noqa: S311 - a failing seed must fail again
    for name, operation in declared.items():
        known = operation_of(operation)
        for model, kind in ((operation.input, known.input), (operation.output, known.output)):
            for _ in range(30):
                value = make_value(kind, random)
                found = faults(model, value)
                assert found <= _OF_VALUE, f"{name}: {value} has {found}"
                fitting += not found
    assert fitting > 10 * len(declared)


class Stage(enum.Enum):
    NEW = "new"
    WON = "won"


class Place(NamedTuple):
    x: int
    name: str = "here"


class Options(TypedDict):
    count: int
    note: NotRequired[str]


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    friend: "Dog | None" = None


Json = TypeAliasType("Json", "list[Json] | dict[str, Json] | str | int | None")
KINDS: dict[str, tuple[Any, str]] = {
    "uuid": (uuid.UUID, "uuid"),
    "date": (datetime.date, "date"),
    "time of day": (datetime.time, "time of day"),
    "time": (AwareDatetime, "time"),
    "set": (set[int], "list[int]"),
    "tuple": (tuple[int, str, float], "[int, str, number]"),
    "tuple of any length": (tuple[int, ...], "list[int]"),
    "named tuple": (Place, "[int] | [int, str]"),
    "typed dict": (Options, "Options"),
    "enum": (Stage, "'new' | 'won'"),
    "map": (dict[str, float], "map[number]"),
    "map by words": (dict[Literal["a", "b"], int], "F"),
    "map by enum": (dict[Stage, int], "F"),
    "alias of itself": (Json, "Json"),
    "kinds told by a field": (Annotated[Cat | Dog, Field(discriminator="kind")], "Cat | Dog"),
    "kinds told by nothing": (Cat | Dog, "Cat | Dog"),
    "words": (Literal["a", 1, None, True], "'a' | 1 | true | null"),
    "alternatives": (int | str | list[int], "int | str | list[int]"),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("annotation", "shown"), KINDS.values(), ids=KINDS)
def test_values_of_a_type_fit_what_it_was_read_from(
    annotation: Any, shown: str, strict: bool, make_value: MakeValue
) -> None:
    model = create_model("Model", __config__=ConfigDict(strict=strict), f=(annotation, ...))
    kind = json_schema.read(model.model_json_schema())
    assert isinstance(kind, Object)
    assert str(kind.fields["f"]) == shown
    random = Random(3)  # noqa: S311 - a failing seed must fail again
    for _ in range(60):
        read(model, make_value(kind, random))


def test_value_without_a_required_field_is_none_of_the_model(
    declared: dict[str, Action | Trigger], make_value: MakeValue
) -> None:
    for operation in declared.values():
        kind = operation_of(operation).input
        for field in kind.required:
            value = make_value(kind, Random(2))  # noqa: S311 - no secret
            del value[field]
            assert "missing" in faults(operation.input, value), field
