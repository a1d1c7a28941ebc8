"""What a condition tells of the values that it looks at: which of them cannot be null."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from connector.flows import types
from connector.flows.expressions import tree
from connector.flows.expressions.tree import Node
from connector.flows.types import Type

Path = tuple[str | int, ...]

_SUCCEEDED = ""  # no name of an expression: before the id of a step that has succeeded


@dataclass(frozen=True, slots=True)
class Known:
    """The names that an expression may use, and which paths are known not to be null."""

    names: Mapping[str, Type]
    not_null: frozenset[Path] = frozenset()
    empty_handed: frozenset[str] = frozenset()
    """The steps that may succeed and have no output all the same."""
    later: frozenset[Path] = frozenset()
    """Paths that have a value only below this place."""

    def given(self, condition: Node | None, *, when: bool = True) -> "Known":
        """What is known where `condition` is `when`."""
        if condition is None:
            return self
        return replace(self, not_null=self.not_null | facts(condition, when))

    def has(self, path: Path | None) -> bool:
        """Whether there is surely something at `path`."""
        if path in self.not_null:
            return True
        if path is None or path[0] != "steps" or len(path) != 2:
            return False
        return (_SUCCEEDED, path[1]) in self.not_null and path[1] not in self.empty_handed

    def proving(self, path: Path | None) -> "Known":
        """What is known where there is something at `path`."""
        return replace(self, not_null=self.not_null | {path}) if path is not None else self

    def with_names(self, names: Mapping[str, Type]) -> "Known":
        """With more names."""
        return replace(self, names={**self.names, **names})

    def with_item(self, name: str, kind: Type) -> "Known":
        """With one more name, that of an item of a list."""
        return replace(self.with_names({name: kind}), not_null=_without(self.not_null, name))

    def supposing(self) -> "Known":
        """As if nothing were null: for what stands under a condition that cannot be read."""
        return replace(self, names={name: types.without_nulls(kind) for name, kind in self.names.items()})


def path_of(node: Node) -> Path | None:
    """`('steps', 'chat', 'conversation')` for `steps.chat?.conversation`; None for what is computed."""
    if isinstance(node, tree.Name):
        return (node.name,)
    if isinstance(node, tree.Field):
        target = path_of(node.target)
        return (*target, node.name) if target else None
    if isinstance(node, tree.Index) and isinstance(node.index, tree.Literal) and type(node.index.value) in (int, str):
        target = path_of(node.target)
        return (*target, node.index.value) if target else None
    return None


def facts(node: Node, when: bool) -> frozenset[Path]:
    """The paths that cannot be null when the condition `node` is `when`."""
    if isinstance(node, tree.Unary) and node.operator == "!":
        return facts(node.operand, not when)
    if isinstance(node, tree.Macro):
        # Where one item decides, the condition was `when` for it.
        is_decided_by_one = node.name == ("exists" if when else "all")
        return _without(facts(node.body, when), node.variable.name) if is_decided_by_one else frozenset()
    if not isinstance(node, tree.Binary):
        return frozenset()
    if node.operator in ("&&", "||"):
        left, right = facts(node.left, when), facts(node.right, when)
        return left | right if (node.operator == "&&") == when else left & right
    if node.operator in ("==", "!="):
        equal = (node.operator == "==") == when
        return _compared(node.left, node.right, equal) | _compared(node.right, node.left, equal)
    return frozenset()


def _without(paths: frozenset[Path], name: str) -> frozenset[Path]:
    return frozenset(path for path in paths if path[0] != name)


def _compared(side: Node, other: Node, equal: bool) -> frozenset[Path]:
    if not isinstance(other, tree.Literal) or (other.value is None) == equal:
        return frozenset()
    path = path_of(side)
    if other.value == "succeeded" and path is not None and len(path) == 2 and path[0] == "status":
        return frozenset({path, (_SUCCEEDED, path[1])})
    return frozenset(_with_optional_targets(side))


def _with_optional_targets(node: Node) -> set[Path]:
    """`a?.b` is not null only where `a` is not."""
    paths: set[Path] = set()
    while (path := path_of(node)) is not None:
        paths.add(path)
        if not (isinstance(node, tree.Field) and node.optional):
            break
        node = node.target
    return paths
