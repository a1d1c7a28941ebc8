"""The two kinds of slot: bare expressions, and values in which `${{ … }}` may stand."""

import itertools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from connector.flows import document, types, yaml_faults
from connector.flows.document import Scalar, Source
from connector.flows.expressions import advice, holes, syntax
from connector.flows.expressions.evaluation import Evaluate, Scope, closure, held_to, metered
from connector.flows.expressions.functions import MAX_RESULT, EvaluationError, as_text
from connector.flows.expressions.inference import Inference, Unchecked
from connector.flows.expressions.narrowing import Known
from connector.flows.expressions.tree import Node
from connector.flows.problems import Report, Rule, quoted, shortened
from connector.flows.types import ANY, BOOL, NUMBER, STR, ListOf, Object, Type

_INSIDE_TEXT = types.Union((STR, NUMBER, BOOL))
_LIST = ListOf(ANY)
_MOST_HOLES = 200  # in one text

# What other languages write for `${{ trigger.name }}`, and that with the braces forgotten.
_OTHER_HOLE = re.compile(r"(?<!\$\{)\$?\{\{?-?\s*([a-z]+(?:\??\.\w+)+)\s*-?\}?\}|\$([a-z]+(?:\.\w+)+)")
_PATH = re.compile(r"([a-z]+)\??\.(\w+)(?:\??\.\w+(?:\(\))?)*")


@dataclass(frozen=True, slots=True)
class Expression:
    """A bare expression: its text, its tree, its type and the closure that computes it."""

    text: str
    tree: Node
    type: Type
    evaluate: Evaluate
    """Raises EvaluationError and nothing else."""
    time_comparisons: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A value with `${{ … }}` in it. `render` gives plain JSON and raises EvaluationError."""

    type: Type
    render: Callable[[Scope], Any]
    node: document.Node
    fields: Mapping[str, "Template"] | None = None
    """The values of a mapping, by key."""
    items: Sequence["Template"] | None = None
    """The values of a list."""
    expression: Expression | None = None
    """Where the value is exactly one `${{ … }}`."""


class Slots:
    """Reads the slots of one file; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report

    def expression(self, node: document.Node, known: Known, wanted: Type) -> Expression | None:
        """The bare expression at `node`, or None where it does not check."""
        if not isinstance(node, Scalar):
            hint = "put it in quotes; it is a text, such as trigger.agent_id"
            self._report.add(self._source.of(node), "expression", "expected an expression", hint)
            return None
        if (start := node.text.find("${{")) >= 0:
            message = "an expression stands here by itself, without `${{ }}`"
            self._complain(node, start, start + 3, "expression", message, f"write it bare: {_bare(node.text)}")
            return None
        return self._compiled(node, 0, node.text, known, wanted)

    def template(self, node: document.Node, known: Known) -> Template:
        """The value at `node`. What does not check has the type `any`."""
        if isinstance(node, document.Mapping):
            return self._mapping(node, known)
        if isinstance(node, document.Sequence):
            items = [self.template(item, known) for item in node.items]
            kind = ListOf(types.union(item.type for item in items))
            return Template(kind, lambda scope: [item.render(scope) for item in items], node, items=items)
        if isinstance(node.value, str) and "${{" in node.value:
            return self._text(node, known)
        if isinstance(node.value, str):
            self._look_for_other_holes(node, 0, node.text, known)
        value = node.value
        return Template(types.literal(value), lambda _scope: value, node)

    def text(self, node: document.Node, known: Known, what: str) -> Template:
        """The value at `node`, which must be a text."""
        given = self.template(node, known)
        if not types.assignable(given.type, STR):
            nullable = types.nullable(given.type) and types.assignable(types.without_null(given.type), STR)
            shown = "may be null" if nullable else f"is {types.widened(given.type)}"
            hint = _hint_for_text(given, nullable=nullable)
            if given.type == types.NULL:
                hint = f"write a text behind `{what}:`"
            rule: Rule = "nullable" if nullable else "type"
            self._report.add(self._source.of(node), rule, f"{what} {shown}, but str is expected", hint)
        return given

    def _mapping(self, node: document.Mapping, known: Known) -> Template:
        for entry in node.entries.values():
            if (start := entry.key.text.find("${{")) >= 0:
                message = "a key is no place for an expression"
                self._complain(entry.key, start, start + 3, "expression", message, "write the key out")
        fields = {key: self.template(entry.value, known) for key, entry in node.entries.items()}
        kind = types.record("object", {key: field.type for key, field in fields.items()})
        return Template(kind, lambda scope: {key: field.render(scope) for key, field in fields.items()}, node, fields)

    def _text(self, node: Scalar, known: Known) -> Template:
        # A block scalar ends with a line break that its author does not see.
        whole = node.text.strip() if node.style in ("|", ">") else node.text
        pieces: list[str | Expression] = []
        position = 0
        for number, hole in enumerate(holes.find(node.text)):
            if hole.end < 0 or number == _MOST_HOLES:
                self._stop_at(node, hole)
                return Template(ANY, _unchecked, node)
            if node.text[hole.start : hole.end] == whole:
                expression = self._compiled(node, hole.inside, hole.expression, known, ANY)
                kind = expression.type if expression else ANY
                return Template(kind, expression.evaluate if expression else _unchecked, node, expression=expression)
            self._look_for_other_holes(node, position, node.text[position : hole.start], known)
            pieces.append(node.text[position : hole.start])
            if expression := self._compiled(node, hole.inside, hole.expression, known, _INSIDE_TEXT):
                pieces.append(expression)
            position = hole.end
        self._look_for_other_holes(node, position, node.text[position:], known)
        pieces.append(node.text[position:])
        return Template(STR, lambda scope: _joined(pieces, scope), node)

    def _stop_at(self, node: Scalar, hole: holes.Hole) -> None:
        if hole.end >= 0:
            message = f"the text has more than {_MOST_HOLES} expressions"
            self._complain(node, hole.start, hole.end, "expression", message, "split it")
        elif self._source.is_cut(node):
            self._complain_about_comment(node, hole.start)
        else:
            message = "this `${{` is never closed"
            self._complain(node, hole.start, hole.start + 3, "expression", message, "add `}}` after the expression")

    def _complain_about_comment(self, node: Scalar, start: int) -> None:
        line = self._source.line_at(node.end)
        hint = yaml_faults.quotes_hint(line, "put the whole text in quotes")
        self._complain(node, start, len(node.text), "comment", "the ` #` after this starts a comment", hint)

    def _look_for_other_holes(self, node: Scalar, start: int, text: str, known: Known) -> None:
        """A text that is meant to be computed would reach a customer as it is."""
        if text == node.text and _names_a_value(text, known):
            hint = f"write ${{{{ {shortened(text)} }}}}"
            self._complain(node, 0, len(text), "expression", f"this is the text {quoted(text)}, not its value", hint)
            return
        for found in _OTHER_HOLE.finditer(text):
            path = found[1] or found[2]
            if re.split(r"\W", path)[0] in known.names:
                place = (start + found.start(), start + found.end())
                message = f"{quoted(found[0])} is only text"
                self._complain(node, *place, "expression", message, f"write ${{{{ {shortened(path)} }}}}")

    def _complain(self, node: Scalar, start: int, end: int, rule: Rule, message: str, hint: str | None) -> None:
        self._report.add(self._source.within(node, start, end), rule, message, hint)

    def _compiled(self, node: Scalar, offset: int, text: str, known: Known, wanted: Type) -> Expression | None:
        """The expression `text`, which starts at `offset` in the text of `node`; None where it does not check."""
        faults: list[Rule] = []

        def complain(start: int, end: int, rule: Rule, message: str, hint: str | None) -> None:
            faults.append(rule)
            self._complain(node, offset + start, offset + end, rule, message, hint)

        if (tree := self._parsed(node, offset, text)) is None:
            return None
        inference = Inference(text, complain)
        kind = inference.type_of(tree, known)
        if wanted is _INSIDE_TEXT and _is_composite(kind):
            message = f"{shortened(text)} is {kind}, which has no form as text"
            complain(tree.start, tree.end, "type", message, "pick a field of it")
        elif not faults:
            described = "a text, a number or a bool" if wanted is _INSIDE_TEXT else "a list" if wanted == _LIST else ""
            inference.expect(tree, kind, wanted, described, is_whole=True)
        if faults:
            return None
        if not types.surely_assignable(kind, wanted):
            inference.unchecked.append(Unchecked(tree, wanted))
        self._tell_unchecked(node, offset, inference)
        return _expression(text, tree, kind, inference.time_comparisons, wanted)

    def _tell_unchecked(self, node: Scalar, offset: int, inference: Inference) -> None:
        for found in inference.unchecked:
            part, shown = found.part, inference.shown(found.part)
            told = "a text, a number or a bool" if found.wanted is _INSIDE_TEXT else found.wanted
            what = "what it is compared with" if found.compared else f"that it is {told}"
            place = self._source.within(node, offset + part.start, offset + part.end)
            hint = advice.for_any(shown, found.wanted, compared=found.compared)
            self._report.add_unchecked(place, f"{shown} is any: nothing checks {what}", hint)

    def _parsed(self, node: Scalar, offset: int, text: str) -> Node | None:
        try:
            return syntax.parse(text)
        except syntax.SyntaxProblem as problem:
            if self._source.is_cut(node) and text[problem.start : problem.start + 1] in ("'", '"'):
                self._complain_about_comment(node, offset)
            else:
                place = (offset + problem.start, offset + problem.end)
                self._complain(node, *place, "syntax", problem.message, problem.hint)
        return None


def _expression(text: str, tree: Node, kind: Type, times: Collection[int], wanted: Type) -> Expression:
    evaluate = metered(closure(tree, times))
    if kind == ANY and wanted not in (ANY, _INSIDE_TEXT):
        evaluate = held_to(evaluate, wanted, shortened(text))
    return Expression(text, tree, kind, evaluate, frozenset(times))


def _is_composite(kind: Type) -> bool:
    return any(isinstance(part, (Object, ListOf)) for part in types.parts(kind))


def _names_a_value(text: str, known: Known) -> bool:
    if not (path := _PATH.fullmatch(text)):
        return False
    owner = known.names.get(path[1])
    return isinstance(owner, Object) and path[2] in owner.fields


def _unchecked(_scope: Scope) -> NoReturn:
    raise EvaluationError("the expression did not check")


def _hint_for_text(given: Template, *, nullable: bool) -> str:
    """Where a value is no text, and should be one."""
    if given.expression is None:
        return "put it in quotes" if isinstance(given.node, Scalar) else "write a text"
    text = shortened(given.expression.text)
    if nullable:
        return f"write ${{{{ {text} ?? 'a default' }}}}"
    if _is_composite(given.type):
        return "pick a field or an item of it"
    return f"write ${{{{ string({text}) }}}}"


def _bare(text: str) -> str:
    found = list(itertools.islice(holes.find(text), 2))
    if len(found) == 1 and found[0].end > 0:
        hole = found[0]
        text = text[: hole.start] + hole.expression.strip() + text[hole.end :]
    return shortened(text.replace("${{", "").replace("}}", ""))


def _joined(pieces: Sequence[str | Expression], scope: Scope) -> str:
    texts: list[str] = []
    size = 0
    for piece in pieces:
        value = piece if isinstance(piece, str) else piece.evaluate(scope)
        if not isinstance(value, (str, int, float)):
            shown = shortened(piece.text) if isinstance(piece, Expression) else ""
            raise EvaluationError(f"{shown} is {'null' if value is None else 'not a text'} inside a text")
        texts.append(as_text(value))
        size += len(texts[-1])
        if size > MAX_RESULT:
            raise EvaluationError(f"the text is longer than {MAX_RESULT} characters")
    return "".join(texts)
