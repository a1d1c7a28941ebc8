"""Where steps run: the names that they read, and the path under which the journal keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connector.flows import parameters
from connector.flows.expressions.functions import EvaluationError, from_time
from connector.flows.flow import Call, Flow, Kind, Step, WaitFor
from connector.runs import records
from connector.runs.records import Failure


@dataclass(frozen=True, slots=True)
class End:
    """Why no further step runs: one failed or is held, or a `stop` has no failure."""

    status: Literal["failed", "held", "stopped"]
    failure: Failure | None = None
    reason: str | None = None

    @property
    def is_held(self) -> bool:
        return self.status == "held"


@dataclass(frozen=True, slots=True)
class Frame:
    """A flow in the course of a run. The path of a step is its id, behind those of the steps that call its flow."""

    flow: Flow
    scope: dict[str, Any]
    prefix: str = ""

    @classmethod
    def of(cls, flow: Flow, run: records.Run, given: Mapping[str, Any], config: Mapping[str, Any]) -> "Frame":
        """For the flow that the run was started of. Raises EvaluationError."""
        started = from_time(run.started_at or run.created_at)
        scope = {"run": {"id": run.id, "flow": run.flow, "started_at": started}}
        return _begin(flow, scope, given, config, "")

    def calling(self, flow: Flow, path: str, given: Mapping[str, Any], config: Mapping[str, Any]) -> "Frame":
        """For a flow that the step at `path` calls. Raises EvaluationError."""
        return _begin(flow, {"run": self.scope["run"]}, given, config, f"{path}/")

    def path(self, step: Step) -> str:
        return f"{self.prefix}{step.id}"

    def keep(self, step: Step, record: records.Step, journal: Mapping[str, records.Step]) -> None:
        """Let later steps read the outcome, and those of the steps inside it; what was not reached is skipped."""
        self.scope["steps"][step.id] = record.output
        self.scope["status"][step.id] = record.status
        for inner in step.walk():
            if inner is not step:
                done = journal.get(self.path(inner))
                self.scope["steps"][inner.id] = done.output if done else None
                self.scope["status"][inner.id] = done.status if done else "skipped"


def action_of(does: Kind) -> str:
    """What the journal calls the action of a step: what it uses, or its kind."""
    return does.uses if isinstance(does, (Call, WaitFor)) else type(does).__name__.lower()


def _begin(
    flow: Flow, scope: dict[str, Any], given: Mapping[str, Any], config: Mapping[str, Any], prefix: str
) -> Frame:
    name = "trigger" if flow.trigger else "inputs"
    values = given if flow.trigger else parameters.complete(flow.inputs, given)
    scope |= {name: values, "config": config, "steps": {}, "status": {}, "vars": {}}
    for variable, template in flow.vars.items():
        try:
            scope["vars"][variable] = template.render(scope)
        except EvaluationError as error:
            raise EvaluationError(f"vars.{variable}: {error}") from error
    return Frame(flow, scope, prefix)
