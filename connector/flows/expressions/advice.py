"""What to type instead: the hints to what `inference` finds wrong."""

import string
from collections.abc import Callable

from connector.flows import hours, patterns, types, zones
from connector.flows.expressions import tree
from connector.flows.expressions.functions import FUNCTIONS, OTHER_WORDS, Function
from connector.flows.expressions.narrowing import Known, Path
from connector.flows.expressions.tree import MACROS, RESERVED, Node
from connector.flows.problems import Rule, closest, did_you_mean, quoted, shortened
from connector.flows.types import (
    ANY,
    BOOL,
    DURATION,
    HOURS,
    INT,
    NUMBER,
    PATTERN,
    STR,
    TIME,
    ZONE,
    ListOf,
    Object,
    Type,
)

_ELSEWHERE = {
    "error": "only the steps under on_error can read it",
    "run": "the run has not started here",
    "steps": "no step has run here",
    "status": "no step has run here",
    "vars": "only steps and outputs read it, below `vars: {NAME: VALUE}`",
    "config": "the flow has none: add `config: {NAME: {type: str}}` to it",
    "inputs": "the flow has none: a flow with a trigger reads `trigger`",
    "trigger": "a flow with inputs reads `inputs`",
    "item": "only a step with for_each has it",
    "index": "only a step with for_each has it",
    "output": "only `until` reads it; elsewhere write steps.ID",
    "event": "only `match` reads it; elsewhere write trigger",
    "approve": "only the steps of `notify` read it; elsewhere write steps.ID",
}
_OUTPUT_WORDS = ("output", "outputs", "result")


def for_null(shown: str, node: Node, actual: Type, wanted: Type, *, is_whole: bool) -> str:
    """Where `node` may be null, and may not. `is_whole` says that it is not part of another expression."""
    defaults: dict[Type, str] = {BOOL: "false", NUMBER: "0", TIME: "'2026-01-01T00:00:00Z'"}
    is_list = any(isinstance(kind, ListOf) for kind in (wanted, types.without_null(actual)))
    default = "[]" if is_list else defaults.get(wanted, "'a default'")
    part = shown if not isinstance(node, (tree.Binary, tree.Conditional)) or shown[0] == "(" else f"({shown})"
    condition = f", or add the condition {shown} != null" if isinstance(node, (tree.Name, tree.Field)) else ""
    return f"write {part} ?? {default}{condition}" if is_whole else f"write ({part} ?? {default}){condition}"


def for_null_field(shown: str, path: Path | None, name: str, known: Known) -> str:
    """Where `shown`, of which the field `name` is read, may be null."""
    if path is not None and len(path) == 2 and path[1] in known.empty_handed:
        return f"the step may end without an output: add the condition {shown} != null, or write {shown}?.{name}"
    if path is not None and len(path) == 2 and path[0] == "steps":
        return f"a step that is skipped has no output: write {shown}?.{name}, or read it under the same `if`"
    return f"add the condition {shown} != null, or write {shown}?.{name}"


def for_type(shown: str, node: Node, actual: Type, wanted: Type) -> str | None:
    """Where `node` is of another type than it should be."""
    present = types.without_null(actual)
    if isinstance(present, Object):
        field = _only_field(present, wanted)
        return f"write {shown}.{field}" if field else None
    return _for_part(shown, node, actual, present, wanted)


def _for_part(shown: str, node: Node, actual: Type, present: Type, wanted: Type) -> str | None:
    word = types.constant(actual)
    if words := types.words_of(wanted):
        return did_you_mean(str(word), words) if word is not None else None
    if wanted == BOOL:
        return _as_condition(shown, present, types.nullable(actual))
    if isinstance(wanted, ListOf) and isinstance(present, ListOf):
        return _as_list_for(shown, present, wanted)
    if present == NUMBER and wanted == INT:
        return f"write int({shown})"
    if wanted in (INT, NUMBER) and types.assignable(present, STR) and not isinstance(node, tree.Literal):
        return f"write ({wanted}({shown}) ?? 0)"
    if types.assignable(present, NUMBER) and wanted == STR:
        return f"write '{shown}'" if isinstance(node, tree.Literal) else f"write string({shown})"
    if wanted == TIME and isinstance(node, tree.Binary):
        return "write add_duration(TIME, '15m')"
    if wanted in (TIME, DURATION) and types.assignable(present, STR):
        return "write one such as '2026-03-25T10:30:00Z'" if wanted == TIME else "write one such as '15m'"
    if isinstance(present, ListOf) and wanted == NUMBER:
        return f"write size({shown})"
    if isinstance(wanted, ListOf) and types.assignable(present, STR):
        part = f"{shown} ?? ''" if types.nullable(actual) else shown
        return f"write split({part}, ',') to take it apart"
    if isinstance(present, ListOf) and types.assignable(STR, wanted):
        return f"write first({shown}) for its first item, or PART in {shown} to look for one"
    return None


def _only_field(owner: Object, wanted: Type) -> str | None:
    """The one field that is of the type, and is meant by who writes the object itself."""
    fits = [name for name, kind in owner.fields.items() if kind != ANY and types.assignable(kind, wanted)]
    return fits[0] if len(fits) == 1 and (wanted == BOOL or isinstance(wanted, ListOf)) else None


def _as_list_for(shown: str, present: ListOf, wanted: ListOf) -> str | None:
    """Where the items of a list are of another type."""
    if types.nullable(present.item) and types.assignable(types.without_null(present.item), wanted.item):
        return f"write {shown}.filter(x, x != null)"
    fields = [part for part in types.parts(present.item) if isinstance(part, Object)]
    return f"write {shown}.map(x, x.FIELD)" if fields else None


def _as_condition(shown: str, present: Type, nullable: bool) -> str | None:
    if nullable:
        return f"write {shown} != null"
    if types.assignable(present, STR):
        return f"write {shown} != ''"
    if types.assignable(present, NUMBER):
        return f"write {shown} != 0"
    return f"write size({shown}) > 0" if isinstance(present, ListOf) else None


_WRITTEN_OUT: dict[Type, tuple[str, str, Callable[[str], object]]] = {
    ZONE: ("a time zone", "'Europe/Berlin'", zones.zone_of),
    PATTERN: ("a pattern of a time", "'%d.%m.%Y %H:%M'", patterns.parts),
    HOURS: ("the hours of a week", "'Mon-Fri 09:00-17:00'", hours.spans),
}
"""What it is called, an example, and what reads it."""


def for_written_out(shown: str, actual: Type, wanted: Type) -> tuple[str, str]:
    """Message and hint where `node` should be written out, so that a fault of it is found before the flow runs."""
    what, example, read = _WRITTEN_OUT[wanted]
    hint = f"write one such as {example}"
    for word in types.words_of(actual):
        try:
            read(word)
        except ValueError as error:
            if wanted == ZONE:
                meant = zones.meant(word)
                return f"{quoted(word)} is not {what}", f"did you mean {meant!r}?" if meant else hint
            return f"{quoted(word)} is not {what}", str(error)
    if not types.assignable(types.widened(actual), STR):
        return f"{shown} is {types.widened(actual)}, but {what} is expected", hint
    return f"{shown} is known only when the flow runs, but {what} must be written out", hint


def for_any(shown: str, wanted: Type, *, compared: bool = False) -> str | None:
    """How to make a value of type `any` one of the type `wanted`; what is not there is then unequal to all others."""
    value = f"{shown} ?? ''" if compared else shown
    start = f"{shown} == null ? null : " if types.nullable(wanted) and not compared else ""
    ways = {
        STR: f"string({value})",
        NUMBER: f"(number({value}) ?? 0)",
        INT: f"(int({value}) ?? 0)",
        BOOL: f"string({value}) == 'true'",
    }
    return next((f"write {start}{way}" for kind, way in ways.items() if types.assignable(kind, wanted)), None)


def for_arguments(name: str, function: Function, count: int) -> tuple[str, str]:
    """Message and hint where a function has too few or too many arguments."""
    names = list(map(str, function.parameters))
    counts = [number for number in range(len(names) + 1) if function.fits(number)]
    takes = f"{' or '.join(map(str, counts))} argument{'s'[: counts[-1] > 1]}"
    calls = [f"{name}({', '.join(names[:number])})" for number in counts]
    return f"{name} takes {takes}, not {count}", f"write {' or '.join(calls)}"


def for_missing_run(name: str, path: str) -> tuple[str, str]:
    """Message and hint where a function is called before the run whose start it reads."""
    return f"{name} counts until {path}, and the run has not started here", "write it in the `if` of a step"


def for_variable(name: str, known: Known) -> tuple[str, str] | None:
    """Message and hint where `name` cannot be the name of an item of a list."""
    free = next(letter for letter in "xyz" + string.ascii_letters if letter not in known.names)
    hint = f"take another name, such as {free}"
    if name in known.names:
        return f"there is another {quoted(name)} here already", hint
    if name in RESERVED or name in FUNCTIONS or name in MACROS:
        return f"{quoted(name)} is a word of the language", hint
    return None


def for_name(name: str, known: Known) -> str | None:
    """Where there is no such name."""
    if name in FUNCTIONS or name in MACROS:
        return f"{name} is a function: write {name}(…)"
    for owner in ("event", "item", "output", "trigger", "inputs", "steps", "vars", "config", "run", "error"):
        if isinstance(kind := known.names.get(owner), Object) and name in kind.fields:
            return f"write {owner}.{name}"
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
        word = OTHER_WORDS.get(_plain(name), name)
        item = f"pick an item first: {shown}[0]" if isinstance(owner, ListOf) else None
        macro = f"write {shown}.{word}(x, …)" if word in MACROS else item
        return "unknown-field", message, f"write {word}({shown})" if word in FUNCTIONS else macro
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


def is_macro(name: str) -> bool:
    """Whether a macro was probably meant."""
    return OTHER_WORDS.get(_plain(name), closest(name, [*FUNCTIONS, *MACROS])) in MACROS


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def for_later(name: str) -> tuple[str, str]:
    """Message and hint where a variable stands further down."""
    return f"vars.{name} is not known here", "a variable reads only those above it"


def for_function(name: str) -> str | None:
    """Where there is no such function."""
    word = _plain(name)
    if word in ("now", "today", "utcnow"):
        return "write run.started_at"
    if word in ("coalesce", "ifnull", "nvl"):
        return "write VALUE ?? 'a default'"
    if word in OTHER_WORDS:
        return f"write {OTHER_WORDS[word]}(…)"
    return did_you_mean(name, [*FUNCTIONS, *MACROS])


def for_comparison(left_node: Node, left: Type, right_node: Node, right: Type) -> str | None:
    """Where a number or a condition is compared with a text."""
    for node, constant, other in ((left_node, left, right), (right_node, right, left)):
        if not isinstance(node, tree.Literal) or not isinstance(word := types.constant(constant), str):
            continue
        fits = types.assignable(types.without_null(other), BOOL) and word in ("true", "false")
        if fits or types.assignable(types.without_null(other), NUMBER):
            return f"write {word} without quotes"
    return None
