"""Expressions that are written into an input, such as `success` of a request, instead of into a slot of the flow."""

from collections.abc import Mapping

from connector.flows.document import Scalar, Source
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report
from connector.flows.slots import Expression, Slots
from connector.flows.types import Type


def compile_text(text: str, names: Mapping[str, Type], wanted: Type) -> Expression:
    """The expression over these names. Raises ValueError with one sentence."""
    report = Report("")
    found = Slots(Source(text), report).expression(Scalar(text, text, None, 0, len(text)), Known(names), wanted)
    if found is not None:
        return found
    problem = report.problems()[0]
    raise ValueError(problem.message + (f"; {problem.hint}" if problem.hint else ""))
