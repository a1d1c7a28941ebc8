"""How polls share the requests of an account, and what is said of their failures."""

import logging
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from connector.errors import (
    AuthenticationError,
    ConnectorError,
    NetworkError,
    OutputError,
    PlanError,
    RateLimitError,
    StoreError,
)
from connector.runs.polling.pace import Failures, Pace

Log = Callable[[], list[str]]


def make_pace(limit: int | None = 100) -> Pace:
    adapter = SimpleNamespace(rate_limit=lambda _connector, _connection: limit)
    return Pace(adapter, "chatforge", "default", lambda: 0.0)  # type: ignore[arg-type]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    """The lines since it was called last."""
    caplog.set_level(logging.INFO)

    def read() -> list[str]:
        lines = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return lines

    return read


@pytest.mark.parametrize(
    ("limit", "polls", "factor"),
    [(100, 70, 1.0), (100, 140, 2.0), (10, 70, 10.0), (None, 1_000, 1.0)],
    ids=["just fit", "twice too many", "lowered limit", "no limit"],
)
def test_pauses_are_stretched_until_the_polls_leave_requests_for_others(
    limit: int | None, polls: int, factor: float
) -> None:
    pace = make_pace(limit)
    pace.needs = dict.fromkeys(range(polls), 1.0)
    assert pace.stretch() == pytest.approx(factor)


def test_stretching_is_logged_when_it_begins_and_when_it_ends(log: Log) -> None:
    pace = make_pace()
    for polls in (70, 80, 90, 70, 70):
        pace.needs = dict.fromkeys(range(polls), 1.0)
        pace.stretch()
    begin, end = log()
    assert "would take 80 requests a minute, more than 70 % of 100" in begin
    assert "again" in end


def test_long_walks_share_three_tenths_of_the_requests() -> None:
    pace = make_pace()
    assert [pace.reserve_patient() for _ in range(3)] == [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "error",
    [AuthenticationError("refused"), NetworkError("unreachable"), StoreError("full")],
    ids=lambda error: str(error),
)
def test_failure_that_all_polls_have_together_is_logged_once(error: ConnectorError, log: Log) -> None:
    pace = make_pace()
    for place in ("the leads of 'a'", "the leads of 'b'", "the leads of 'a'"):
        pace.begin_failure(place, error)
    assert log() == [f"polling of chatforge/default fails and is tried again: {error}"]
    pace.end_failure("the leads of 'a'")
    assert log() == []
    pace.end_failure("the leads of 'b'")
    assert log() == ["polling of chatforge/default works again"]


def test_failure_of_one_list_is_logged_for_it(log: Log) -> None:
    pace = make_pace()
    for place in ("the leads of 'a'", "the leads of 'b'", "the leads of 'a'"):
        pace.begin_failure(place, OutputError("no list"))
    pace.end_failure("the leads of 'b'")
    assert log() == [
        "polling the leads of 'a' of chatforge/default fails and is tried again: no list",
        "polling the leads of 'b' of chatforge/default fails and is tried again: no list",
        "polling the leads of 'b' of chatforge/default works again",
    ]


@pytest.mark.parametrize("error", [AuthenticationError("refused"), PlanError("not included")], ids=lambda one: one.kind)
def test_list_cannot_be_had_while_the_key_or_the_plan_is_refused_for_it(error: ConnectorError) -> None:
    pace = make_pace()
    pace.begin_failure("the leads of 'a'", NetworkError("unreachable"))
    pace.begin_failure("the leads of 'b'", error)
    assert [pace.is_refused(f"the leads of {name!r}") for name in "abc"] == [False, True, False]
    pace.end_failure("the leads of 'b'")
    assert not pace.is_refused("the leads of 'b'")


def test_looks_in_a_hurry_take_a_tenth_of_the_requests_after_those_at_once() -> None:
    pace = make_pace()
    looks = [pace.reserve_hurried(0.0, 1_000.0) for _ in range(13)]
    assert looks == [*[0.0] * 11, 6.0, 12.0]
    assert pace.reserve_hurried(60.0, 1_000.0) == 60.0, "one that is to come later takes its turn"
    assert pace.reserve_hurried(0.0, 24.0) == 24.0, "there is a look before its turn"
    assert pace.reserve_hurried(0.0, 1_000.0) == 24.0, "which has taken none"


def test_next_try_is_later_each_time_and_never_sooner_than_asked_for() -> None:
    failures = Failures(make_pace(), "the leads of 'a'")
    error = OutputError("no list")
    assert [failures.begin(error, 60.0) for _ in range(4)] == [60.0, 120.0, 240.0, 300.0]
    assert failures.begin(RateLimitError("too many", retry_after=900.0), 60.0) == 900.0
    failures.end()
    assert failures.begin(error, 60.0) == 60.0
    assert failures.begin(KeyError("name"), 60.0) == 300.0


def test_database_is_tried_again_after_a_second_and_then_less_often() -> None:
    failures = Failures(make_pace(), "the leads of 'a'")
    tries = [failures.begin(StoreError("full"), 60.0) for _ in range(8)]
    assert tries == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_fault_is_logged_with_its_traceback_when_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    pace = make_pace()
    for _ in range(2):
        pace.begin_failure("the leads of 'a'", KeyError("a secret"))
    [record] = caplog.records
    assert record.exc_info
    assert "KeyError, a fault of this program or of a plugin" in record.getMessage()
    assert "secret" not in record.getMessage()
