"""How a run and its steps go on. Each function works in its caller's transaction, for the process that has claimed the
run: where another one has it, StaleRunError is raised and nothing is written.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.database import Connection
from connector.errors import StoreError
from connector.runs import awaited, records
from connector.runs.awaited import Awaited
from connector.runs.decisions import answers, cancels
from connector.runs.decisions.answers import Answer
from connector.runs.records import Failure, as_json, write_time

Requests = Sequence[Mapping[str, Any]]
"""Of HTTP, as `connector/exchanges.py` describes them."""

_OPEN = "('started', 'sending', 'waiting')"
_OURS = "id = :run AND epoch = :epoch AND status = 'running'"
_MAY_BEGIN = f"{_OURS} AND cancelling IS NULL"
_IS_OURS = f"EXISTS (SELECT 1 FROM runs WHERE {_OURS})"
_IS_CANCELLED = "SELECT 1 FROM runs WHERE id = :run AND cancelling IS NOT NULL"

_BEGIN = f"""
INSERT INTO steps (run_id, step, action, status, input, attempts, started_at, attempt_at, sent_at)
SELECT :run, :step, :action, :status, :input, :number, :now, :now, :sent_at FROM runs WHERE {_MAY_BEGIN}
ON CONFLICT (run_id, step) DO UPDATE
SET status = excluded.status, attempts = excluded.attempts, sent_at = excluded.sent_at, error = NULL, wake_at = NULL,
    attempt_at = CASE WHEN steps.attempts = excluded.attempts THEN steps.attempt_at ELSE excluded.attempt_at END
WHERE steps.status IN {_OPEN}
"""
_PAUSE = f"""
INSERT INTO steps (run_id, step, action, status, input, error, attempts, started_at, wake_at)
SELECT :run, :step, :action, 'waiting', :input, :error, 0, :now, :wake_at FROM runs WHERE {_OURS}
ON CONFLICT (run_id, step) DO UPDATE SET status = 'waiting', error = excluded.error, wake_at = excluded.wake_at
WHERE steps.status IN {_OPEN}
"""
_FINISH = f"""
INSERT INTO steps (run_id, step, action, status, output, reason, error, requests, attempts, started_at, finished_at)
SELECT :run, :step, :action, :status, :output, :reason, :error, :requests, 0, :now, :now FROM runs WHERE {_OURS}
ON CONFLICT (run_id, step) DO UPDATE SET status = excluded.status, output = excluded.output, reason = excluded.reason,
    error = excluded.error, requests = excluded.requests, finished_at = excluded.finished_at, wake_at = NULL
WHERE steps.status IN {_OPEN}
"""
_KEEP_ATTEMPT = f"""
INSERT INTO attempts (run_id, step, number, started_at, sent_at, finished_at, error, requests)
SELECT run_id, step, attempts, attempt_at, sent_at, :now, :error, :requests FROM steps
WHERE run_id = :run AND step = :step AND attempts BETWEEN 1 AND :last AND {_IS_OURS}
ON CONFLICT DO NOTHING
"""


class StaleRunError(StoreError):
    """Somebody else has claimed the run since; nothing was written."""


class CancelRequestedError(StoreError):
    """A person wants the run cancelled, so nothing more of it begins; nothing was written."""


def begin_attempt(
    connection: Connection,
    run: records.Run,
    step: str,
    action: str,
    given: dict[str, Any],
    number: int,
    now: datetime,
    *,
    sending: bool,
) -> None:
    """`started`: the input is fixed; nothing has been sent. `sending`: nobody knows, until there is a result."""
    if number > 1:  # one that is still open was cut off: its process ended, or its result could not be written
        _keep_attempt(connection, run, step, now, "there is no record of how it ended", number - 1)
    status, sent_at = ("sending", write_time(now)) if sending else ("started", None)
    values = {"status": status, "input": json.dumps(given), "number": number, "sent_at": sent_at}
    _write(connection, _BEGIN, run, step, now, action=action, **values)


def keep(connection: Connection, run: records.Run, step: str, kept: Mapping[str, Any]) -> None:
    """What the step's action has found out before it sends more."""
    statement = f"UPDATE steps SET kept = :kept WHERE run_id = :run AND step = :step AND {_IS_OURS}"
    _change(connection, statement, run, step=step, kept=json.dumps(kept))


def begin_step(connection: Connection, run: records.Run, step: str, action: str, given: Any, now: datetime) -> None:
    """The step has begun with this input, and does nothing by itself: what stands inside it does."""
    values = {"status": "started", "input": json.dumps(given), "number": 0, "sent_at": None}
    _write(connection, _BEGIN, run, step, now, action=action, **values)


def pause_step(
    connection: Connection,
    run: records.Run,
    step: str,
    action: str,
    given: Any,
    wake_at: datetime,
    now: datetime,
    error: Failure | None = None,
    requests: Requests = (),
) -> None:
    """The step goes on at a time: as it waits, or after an attempt that failed with the error."""
    if error is not None:
        _keep_attempt(connection, run, step, now, error.message, error.attempts, requests)
    failure = as_json(error.as_json() if error else None)
    values = {"input": as_json(given), "error": failure, "wake_at": write_time(wake_at)}
    _write(connection, _PAUSE, run, step, now, action=action, **values)


def await_event(
    connection: Connection, run: records.Run, place: Awaited, action: str, given: Any, until: datetime, now: datetime
) -> None:
    """The step waits for an event, until then at most."""
    pause_step(connection, run, place.step, action, given, until, now)
    awaited.begin(connection, place, run.started_at or run.created_at)


def take_event(
    connection: Connection, run: records.Run, step: str, action: str, event_id: str, output: Any, now: datetime
) -> bool:
    """End the wait of the step with the event; False where the event serves another one."""
    require_ours(connection, run)
    if not awaited.take(connection, event_id, run.id, step):
        return False
    finish_step(connection, run, step, action, "succeeded", now, output=output)
    awaited.end(connection, run.id, step)
    return True


def look_past(connection: Connection, run: records.Run, step: str, event_ids: Sequence[str]) -> None:
    """The events are none for the step."""
    require_ours(connection, run)
    awaited.look_past(connection, event_ids, run.id, step)


def stop_awaiting(connection: Connection, run: records.Run, step: str, action: str, reason: str, now: datetime) -> None:
    """No event came in time; the output is null."""
    finish_step(connection, run, step, action, "succeeded", now, reason=reason)
    awaited.end(connection, run.id, step)


def answer_for_nobody(connection: Connection, run: records.Run, step: str, answer: Answer) -> Answer:
    """The time to answer is over. Returns the answer that counts, which somebody may have given just before."""
    require_ours(connection, run)
    return answers.give(connection, run.id, step, answer)


def finish_step(
    connection: Connection,
    run: records.Run,
    step: str,
    action: str,
    status: records.StepStatus,
    now: datetime,
    *,
    output: Any = None,
    reason: str | None = None,
    error: Failure | None = None,
    requests: Requests = (),
) -> None:
    """The step's result: succeeded, failed, skipped or held; one that it has already stays."""
    failure = as_json(error.as_json() if error else None)
    values = {
        "status": status,
        "output": as_json(output),
        "reason": as_json(reason),
        "error": failure,
        "requests": as_json(requests or None),
    }
    whose = {"run": run.id, "epoch": run.epoch, "step": step, "action": action, "now": write_time(now)}
    if not connection.execute(_FINISH, {**whose, **values}).rowcount:
        require_ours(connection, run)


def keep_trace(connection: Connection, run: records.Run) -> None:
    """The id of the run's trace, unless it has one."""
    statement = f"UPDATE runs SET trace = :trace WHERE {_OURS} AND trace IS NULL"
    connection.execute(statement, {"run": run.id, "epoch": run.epoch, "trace": run.trace})


def leave_run(connection: Connection, run: records.Run, worked: float) -> None:
    """The process ends while it works on the run; the next one goes on."""
    _update(connection, run, "worked = :worked", worked=worked)


def pause_run(connection: Connection, run: records.Run, wake_at: datetime, worked: float, now: datetime) -> None:
    """The run holds no task until then; it goes on at once where what it waits for has come meanwhile.

    It is cancelled where a person has asked for that.
    """
    if cancels.end(connection, require_ours(connection, run), now):
        return
    at = write_time(now if awaited.is_called(connection, run.id) else wake_at)
    _update(connection, run, "status = 'waiting', wake_at = :at, worked = :worked", at=at, worked=worked)


def finish_run(
    connection: Connection,
    run: records.Run,
    status: records.RunStatus,
    now: datetime,
    *,
    outputs: Any = None,
    error: Failure | None = None,
    reason: str | None = None,
    awaits: bool = False,
) -> records.RunStatus:
    """succeeded, failed or held; `reason` is that of a `stop`. `awaits`: some of its steps wait for events.

    Returns what it is now: cancelled where a person has asked for that, and it has not succeeded.
    """
    if status != "succeeded" and cancels.end(connection, require_ours(connection, run), now):
        return "cancelled"
    _update(
        connection,
        run,
        "status = :status, finished_at = :finished, outputs = :outputs, error = :error, reason = :reason, "
        "cancelling = NULL",
        status=status,
        finished=None if status == "held" else write_time(now),
        outputs=as_json(outputs),
        error=as_json(error.as_json() if error else None),
        reason=as_json(reason),
    )
    if awaits and status != "held":  # items that wait for an event end with the others
        awaited.end(connection, run.id)
    return status


def cancel_run(connection: Connection, run: records.Run, now: datetime) -> None:
    """A person has asked for it, and nothing of the run is at work any more."""
    if not cancels.end(connection, require_ours(connection, run), now):
        raise StoreError(f"nobody wants the run {run.id} cancelled any more")


def require_ours(connection: Connection, run: records.Run) -> str:
    """The id of the run. Raises StaleRunError where another process has it."""
    query = f"SELECT id FROM runs WHERE {_OURS}"
    row = connection.execute(query, {"run": run.id, "epoch": run.epoch}).fetchone()
    if row is None:
        raise StaleRunError(f"the run {run.id} was taken over, so this process writes nothing more of it")
    return run.id


def _keep_attempt(
    connection: Connection,
    run: records.Run,
    step: str,
    now: datetime,
    error: str,
    last: int,
    requests: Requests = (),
) -> None:
    """Keep how the attempt ended that the step is at, unless it is a later one than `last`."""
    values = {"run": run.id, "epoch": run.epoch, "step": step, "now": write_time(now), "error": as_json(error)}
    connection.execute(_KEEP_ATTEMPT, {**values, "last": last, "requests": as_json(requests or None)})


def _write(connection: Connection, statement: str, run: records.Run, step: str, now: datetime, **values: Any) -> None:
    _change(connection, statement, run, step=step, now=write_time(now), **values)


def _update(connection: Connection, run: records.Run, changes: str, **values: Any) -> None:
    _change(connection, f"UPDATE runs SET {changes} WHERE {_OURS}", run, **values)


def _change(connection: Connection, statement: str, run: records.Run, **values: Any) -> None:
    if connection.execute(statement, {"run": run.id, "epoch": run.epoch, **values}).rowcount != 1:
        require_ours(connection, run)
        if statement is _BEGIN and connection.execute(_IS_CANCELLED, {"run": run.id}).fetchone():
            raise CancelRequestedError(f"a person wants the run {run.id} cancelled")
        raise StoreError(f"the journal lacks a row that this should change: {statement.strip()}")
