"""Types that contain themselves: all questions about them have answers."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from connector.flows import json_schema, types
from connector.flows.catalogue import Operation
from connector.flows.types import INT, NEVER, NULL, STR, ListOf, Object, Type


class Tree(BaseModel):
    name: str
    parent: "Tree | None" = None
    children: "list[Tree]" = Field(default_factory=list)


class Even(BaseModel):
    next: "Odd | None"


class Odd(BaseModel):
    next: Even | None


class Leaf(BaseModel):
    kind: Literal["leaf"]
    value: int


class Branch(BaseModel):
    kind: Literal["branch"]
    parts: "list[Annotated[Leaf | Branch, Field(discriminator='kind')]]"


class Deeper(BaseModel):
    name: str
    parent: "Deeper | None" = None
    children: "list[Deeper]" = Field(default_factory=list)
    depth: int


class Nested(RootModel["list[Nested] | str"]):
    pass


def type_of(model: type[BaseModel], **options: Any) -> Type:
    return json_schema.read(model.model_json_schema(**options))


def object_of(model: type[BaseModel]) -> Object:
    kind = type_of(model)
    assert isinstance(kind, Object)
    return kind


def defined(**definitions: Any) -> Type:
    return json_schema.read({"$ref": "#/$defs/A", "$defs": definitions})


def test_field_of_the_same_type_has_all_its_fields() -> None:
    [child] = types.parts(object_of(Tree).fields["children"])
    assert isinstance(child, ListOf)
    assert str(child) == "list[Tree]"
    [tree] = types.parts(child.item)
    assert tree == object_of(Tree)
    assert str(object_of(Tree).read("parent")) == "Tree | null"
    assert types.without_null(object_of(Tree).fields["parent"]) == tree


@pytest.mark.parametrize("model", [Tree, Even, Branch, Nested], ids=lambda model: model.__name__)
def test_type_is_equal_to_itself_read_again(model: type[BaseModel]) -> None:
    one, other = type_of(model), type_of(model)
    assert one == other
    assert hash(one) == hash(other)
    assert types.union([one, other]) == one
    assert types.assignable(one, other)
    assert types.comparable(one, other)


def test_type_with_more_fields_inside_does_not_fit() -> None:
    assert not types.assignable(type_of(Deeper), type_of(Tree))
    assert not types.assignable(type_of(Tree), type_of(Deeper))


def test_same_type_under_other_names_fits() -> None:
    even, odd = type_of(Even), type_of(Odd)
    assert even != odd
    assert types.assignable(even, odd)


def test_failed_alternative_leaves_no_assumption_behind() -> None:
    """A and B differ only in `last`, which is compared after the fields that contain themselves."""
    one, other = (
        {
            "type": "object",
            "properties": {
                "next": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]},
                "last": {"type": last},
            },
        }
        for last in ("string", "integer")
    )
    wrapped = {"type": "object", "properties": {"x": {"$ref": "#/$defs/A"}, "y": {"$ref": "#/$defs/A"}}}
    loose = {**wrapped, "properties": {"x": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "object"}]}, "y": True}}
    left = json_schema.read({**wrapped, "$defs": {"A": one}})
    assert types.assignable(left, json_schema.read({**loose, "$defs": {"A": other}}))
    assert not types.assignable(left, json_schema.read({**wrapped, "$defs": {"A": other}}))


def test_alternatives_that_contain_each_other_are_all_there() -> None:
    kind = defined(
        A={"anyOf": [{"type": "string"}, {"$ref": "#/$defs/B"}]},
        B={"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/A"}]},
    )
    assert kind == types.union([STR, INT])


def test_definition_that_is_only_itself_has_no_values() -> None:
    assert defined(A={"$ref": "#/$defs/A"}) == NEVER


def test_definition_that_must_fit_itself_is_read() -> None:
    assert str(defined(A={"type": "object", "title": "A", "allOf": [{"$ref": "#/$defs/A"}]})) == "map[any]"


def test_list_of_itself_has_items_of_itself() -> None:
    kind = type_of(Nested)
    assert str(kind) == "list[Nested] | str"
    assert types.assignable(types.literal([["a"], "b", []]), kind)
    assert not types.assignable(types.literal([["a"], 1]), kind)


def test_tuple_of_itself_has_positions() -> None:
    pair = {"type": "array", "prefixItems": [{"type": "integer"}, {"$ref": "#/$defs/A"}], "items": False}
    kind = defined(A={"anyOf": [pair, {"type": "null"}]})
    assert types.assignable(types.literal([1, [2, None]]), kind)
    assert not types.assignable(types.literal([1, [2, 3]]), kind)


def test_reference_to_the_whole_schema_is_followed() -> None:
    kind = json_schema.read({"type": "object", "title": "T", "properties": {"next": {"$ref": "#"}}})
    assert isinstance(kind, Object)
    assert types.unrolled(kind.fields["next"]) == kind


def test_without_nulls_there_are_none_at_any_depth() -> None:
    kind: Type = types.without_nulls(type_of(Tree))
    for _ in range(5):
        assert isinstance(kind, Object)
        kind = types.unrolled(kind.fields["parent"])
        assert not types.nullable(kind)


def test_chosen_alternative_is_read_by_its_constant() -> None:
    branch = type_of(Branch)
    leaf = {"kind": "leaf", "value": 1}
    assert types.assignable(types.literal({"kind": "branch", "parts": [leaf, {"kind": "branch", "parts": []}]}), branch)
    assert not types.assignable(types.literal({"kind": "branch", "parts": [{"kind": "leaf"}]}), branch)


def test_operation_may_take_and_give_what_contains_itself() -> None:
    operation = Operation.of(Tree.model_json_schema(), Tree.model_json_schema(mode="serialization"))
    assert operation.input.required == {"name"}
    assert types.parts(operation.output) == (operation.output,)


def test_null_beside_a_type_that_contains_itself_is_found() -> None:
    assert types.nullable(object_of(Even).fields["next"])
    assert NULL not in types.parts(types.without_null(object_of(Even).fields["next"]))
