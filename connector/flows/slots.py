"""The two kinds of slot: bare expressions, and values in which `${{ … }}` may stand."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from connector.flows import document, types
from connector.flows.document import Scalar, Source
from connector.flows.expressions import syntax
from connector.flows.expressions.evaluation import Evaluate, Scope, closure
from connector.flows.expressions.functions import MAX_RESULT, EvaluationError, as_text
from connector.flows.expressions.inference import Inference, Known
from connector.flows.expressions.tree import Node
from connector.flows.problems import Report
from connector.flows.types import ANY, BOOL, NUMBER, STR, Object, Type

_HOLE = re.compile(r"""\$\{\{((?:[^'"}]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\}(?!\}))*)\}\}""", re.DOTALL)
_INSIDE_TEXT = types.Union((STR, NUMBER, BOOL))


@dataclass(frozen=True, slots=True)
class Expression:
    """A bare expression: its text, its tree, its type and the closure that computes it."""

    text: str
    tree: Node
    type: Type
    evaluate: Evaluate
    time_comparisons: Collection[Node] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A value with `${{ … }}` in it. `render` gives plain JSON and raises EvaluationError."""

    type: Type
    render: Callable[[Scope], Any]
    node: document.Node
    fields: Mapping[str, "Template"] | None = None
    """The values of a mapping, by key."""


class Slots:
    """Reads the slots of one file; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report

    def expression(self, node: document.Node, known: Known, wanted: Type) -> Expression | None:
        """The bare expression at `node`, or None where it cannot be used."""
        if not isinstance(node, Scalar):
            self._report.add(self._source.of(node), "expression", "expected an expression, such as trigger.agent_id")
            return None
        if (start := node.text.find("${{")) >= 0:
            place = self._source.within(node, start, start + 3)
            hint = f"write it bare: {_bare(node.text)}"
            self._report.add(place, "expression", "an expression stands here by itself, without `${{ }}`", hint)
            return None
        return self._compiled(node, 0, node.text, known, wanted)

    def template(self, node: document.Node, known: Known) -> Template:
        """The value at `node`. What cannot be read has the type `any`."""
        if isinstance(node, document.Mapping):
            return self._mapping(node, known)
        if isinstance(node, document.Sequence):
            items = [self.template(item, known) for item in node.items]
            item_type = types.union([item.type for item in items]) if items else ANY
            return Template(types.ListOf(item_type), lambda scope: [item.render(scope) for item in items], node)
        if isinstance(node.value, str) and "${{" in node.value:
            return self._text(node, known)
        value = node.value
        return Template(types.literal(value), lambda _scope: value, node)

    def _mapping(self, node: document.Mapping, known: Known) -> Template:
        fields = {key: self.template(entry.value, known) for key, entry in node.entries.items()}
        kind = Object("object", {key: field.type for key, field in fields.items()}, frozenset(fields))
        return Template(kind, lambda scope: {key: field.render(scope) for key, field in fields.items()}, node, fields)

    def _text(self, node: Scalar, known: Known) -> Template:
        holes = list(_HOLE.finditer(node.text))
        self._look_for_unclosed(node, holes)
        if len(holes) == 1 and holes[0][0] == node.text.strip():
            expression = self._compiled(node, holes[0].start(1), holes[0][1], known, ANY)
            return Template(expression.type if expression else ANY, _evaluated(expression), node)
        pieces: list[str | Expression] = []
        position = 0
        for hole in holes:
            pieces.append(node.text[position : hole.start()])
            if expression := self._compiled(node, hole.start(1), hole[1], known, _INSIDE_TEXT):
                pieces.append(expression)
            position = hole.end()
        pieces.append(node.text[position:])
        return Template(STR, lambda scope: _joined(pieces, scope), node)

    def _look_for_unclosed(self, node: Scalar, holes: list[re.Match[str]]) -> None:
        blanked = node.text
        for hole in holes:
            blanked = blanked[: hole.start()] + " " * len(hole[0]) + blanked[hole.end() :]
        if (start := blanked.find("${{")) >= 0:
            place = self._source.within(node, start, start + 3)
            self._report.add(place, "expression", "this `${{` is never closed", "add `}}` after the expression")

    def _compiled(self, node: Scalar, offset: int, text: str, known: Known, wanted: Type) -> Expression | None:
        complained = False

        def complain(start: int, end: int, rule: str, message: str, hint: str | None) -> None:
            nonlocal complained
            complained = True
            place = self._source.within(node, offset + start, offset + end)
            self._report.add(place, rule, message, hint)

        try:
            tree = syntax.parse(text)
        except syntax.SyntaxProblem as problem:
            complain(problem.start, problem.end, "syntax", problem.message, problem.hint)
            return None
        inference = Inference(text, complain)
        kind = inference.type_of(tree, known)
        if wanted is _INSIDE_TEXT and not complained:
            self._look_at_text_part(inference, tree, kind)
        else:
            inference.expect(tree, kind, wanted)
        times = inference.time_comparisons
        return Expression(text.strip(), tree, kind, closure(tree, times), times)

    def _look_at_text_part(self, inference: Inference, node: Node, kind: Type) -> None:
        if isinstance(types.without_null(kind), (Object, types.ListOf)):
            inference.complain_about(node, f"{kind} has no form as text", "pick one of its fields")
        else:
            inference.expect(node, kind, _INSIDE_TEXT)


def _bare(text: str) -> str:
    return _HOLE.sub(lambda hole: hole[1].strip(), text).strip()


def _evaluated(expression: Expression | None) -> Callable[[Scope], Any]:
    return expression.evaluate if expression else lambda _scope: None


def _joined(pieces: list[str | Expression], scope: Scope) -> str:
    texts = []
    for piece in pieces:
        value = piece if isinstance(piece, str) else piece.evaluate(scope)
        if value is None or isinstance(value, (dict, list)):
            shown = piece.text if isinstance(piece, Expression) else ""
            raise EvaluationError(f"{shown} is {'null' if value is None else 'not a text'} inside a text")
        texts.append(as_text(value))
    if sum(map(len, texts)) > MAX_RESULT:
        raise EvaluationError(f"the text is longer than {MAX_RESULT} characters")
    return "".join(texts)
