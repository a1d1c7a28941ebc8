"""What to type instead: the hints to what `inference` finds wrong."""

from connector.flows import types
from connector.flows.expressions import tree
from connector.flows.expressions.functions import FUNCTIONS, NOT_YET, OTHER_WORDS
from connector.flows.expressions.narrowing import Known, Path
from connector.flows.expressions.tree import Node
from connector.flows.problems import Rule, did_you_mean, quoted, shortened
from connector.flows.types import BOOL, DURATION, NUMBER, STR, TIME, ListOf, Object, Type

NAMES_NOT_YET = frozenset("vars config inputs item index approve output".split())

_ELSEWHERE = {
    "error": "only the steps under on_error can read it",
    "run": "the run has not started here",
    "steps": "no step has run here",
    "status": "no step has run here",
}
_OUTPUT_WORDS = ("output", "outputs", "result")


def for_null(shown: str, node: Node, wanted: Type, *, is_whole: bool) -> str:
    """Where `node` may be null, and may not. `is_whole` says that it is not part of another expression."""
    defaults: dict[Type, str] = {BOOL: "false", NUMBER: "0", TIME: "'2026-01-01T00:00:00Z'"}
    default = "[]" if isinstance(wanted, ListOf) else defaults.get(wanted, "'a default'")
    part = shown if not isinstance(node, (tree.Binary, tree.Conditional)) or shown[0] == "(" else f"({shown})"
    condition = f", or add the condition {shown} != null" if isinstance(node, (tree.Name, tree.Field)) else ""
    return f"write {part} ?? {default}{condition}" if is_whole else f"write ({part} ?? {default}){condition}"


def for_null_field(shown: str, path: Path | None, name: str) -> str:
    """Where `shown`, of which the field `name` is read, may be null."""
    if path is not None and len(path) == 2 and path[0] == "steps":
        return f"a step that is skipped has no output: write {shown}?.{name}, or read it under the same `if`"
    return f"add the condition {shown} != null, or write {shown}?.{name}"


def for_type(shown: str, node: Node, actual: Type, wanted: Type) -> str | None:
    """Where `node` is of another type than it should be."""
    present = types.without_null(actual)
    word = types.constant(actual)
    if words := types.words_of(wanted):
        return did_you_mean(str(word), words) if word is not None else None
    if wanted == BOOL:
        return _as_condition(shown, present, types.nullable(actual))
    if types.assignable(present, NUMBER) and wanted == STR:
        return f"write '{shown}'" if isinstance(node, tree.Literal) else f"write string({shown})"
    if wanted == TIME and isinstance(node, tree.Binary):
        return "write add_duration(TIME, '15m')"
    if wanted in (TIME, DURATION) and types.assignable(present, STR):
        return "write one such as '2026-03-25T10:30:00Z'" if wanted == TIME else "write one such as '15m'"
    if isinstance(present, ListOf) and wanted == NUMBER:
        return f"write size({shown})"
    if isinstance(present, ListOf) and wanted == STR:
        return f"write first({shown}) for its first item, or PART in {shown} to look for one"
    return None


def _as_condition(shown: str, present: Type, nullable: bool) -> str | None:
    if nullable:
        return f"write {shown} != null"
    if types.assignable(present, STR):
        return f"write {shown} != ''"
    if types.assignable(present, NUMBER):
        return f"write {shown} != 0"
    return f"write size({shown}) > 0" if isinstance(present, ListOf) else None


def for_name(name: str, known: Known) -> str | None:
    """Where there is no such name."""
    if name in FUNCTIONS:
        return f"{name} is a function: write {name}(…)"
    for owner in ("trigger", "steps", "run", "error"):
        if isinstance(kind := known.names.get(owner), Object) and name in kind.fields:
            return f"write {owner}.{name}"
    if name in NAMES_NOT_YET:
        return None
    if known.names and name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if not known.names:
        return "write a constant; nothing can be computed here"
    hint = did_you_mean(name, known.names)
    if hint and hint.startswith("did"):
        return hint
    return f"a text needs quotes: '{shortened(name)}'"


def for_field(shown: str, path: Path | None, name: str, owner: Type) -> tuple[Rule, str, str | None]:
    """Rule, message and hint where `owner`, the type of `shown`, has no field `name`."""
    if not isinstance(owner, Object):
        message = f"{shown} is {types.widened(owner)} and has no field {quoted(name)}"
        word = OTHER_WORDS.get(name.lower().replace("_", ""), name)
        item = f"pick an item first: {shown}[0]" if isinstance(owner, ListOf) else None
        return "unknown-field", message, f"write {word}({shown})" if word in FUNCTIONS else item
    hint = did_you_mean(name, owner.fields)
    if path in (("steps",), ("status",)):
        hint = hint if owner.fields else "this is the first step, and a step sees only those above it"
        return "unknown-step", f"there is no step {quoted(name)} before this one", hint
    named = "" if shown == owner.name else f" ({owner.name})"
    message = f"{shown}{named} has no field {quoted(name)}"
    if path is not None and path[0] == "steps" and len(path) == 2 and not (hint or "").startswith("did"):
        if name in _OUTPUT_WORDS:
            hint = f"{shown} is the output itself: write {shown}.FIELD"
        if name == "status":
            hint = f"write status.{path[1]}"
    if owner.extra is not None and not (hint or "").startswith("did"):
        hint = f"if the other side sends it all the same, write {shown}[{quoted(name)}]"
    return "unknown-field", message, hint


def for_function(name: str) -> str | None:
    """Where there is no such function."""
    word = name.lower().replace("_", "")
    if name in NOT_YET and name != "default":
        return None
    if word in ("now", "today", "utcnow"):
        return "write run.started_at"
    if word in ("coalesce", "default", "ifnull"):
        return "write VALUE ?? 'a default'"
    if word in OTHER_WORDS:
        return f"write {OTHER_WORDS[word]}(…)"
    return did_you_mean(name, FUNCTIONS)


def for_comparison(left_node: Node, left: Type, right_node: Node, right: Type) -> str | None:
    """Where a number or a condition is compared with a text."""
    for node, constant, other in ((left_node, left, right), (right_node, right, left)):
        if not isinstance(node, tree.Literal) or not isinstance(word := types.constant(constant), str):
            continue
        fits = types.assignable(types.without_null(other), BOOL) and word in ("true", "false")
        if fits or types.assignable(types.without_null(other), NUMBER):
            return f"write {word} without quotes"
    return None
