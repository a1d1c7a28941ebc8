"""The triggers without a connector: what they take, and which events they want."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.adapter import Adapter
from connector.declare import Event
from connector.flows.check import check
from connector.plugins.starts import MANUAL, SCHEDULE, NoInput, Schedule, Start, Tick
from connector.validation import refuse

RECEIVED = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)
EARLIER = RECEIVED - timedelta(hours=1)
DURATION = "should be a duration of at least 1s, such as '30s', '5m' or '1h'"
FIVE = "should be five fields, such as '0 9 * * mon-fri'"
ZONE = "timezone: should be the name of a time zone, such as 'Europe/Berlin'"
FLOW = """\
flow: daily
trigger:
  uses: schedule
  with: {INPUT}
steps:
  - id: contacts
    uses: contacts.list
"""


TAKEN = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31, L or LW",
    "month": "1-12 or jan-dec",
    "day of week": "0-7 or sun-sat, mon#1 or 5L",
}
NEVER = "should name a moment that comes within 50 years"


def wrong(text: str, field: str, line: str) -> str:
    return f"cron: has {text!r} as its {field}; it takes {TAKEN[field]}, also as 1,3 or 1-5 or */2, not {line!r}"


@pytest.mark.parametrize(
    "given",
    [
        {"every": "1h"},
        {"cron": "0 9 * * mon-fri"},
        {"cron": "*/5 0-6,22 1,15 JAN,jul-dec/2 sun", "timezone": "Europe/Berlin"},
        {"cron": "  59\t23 31 12 7 "},
        {"cron": "0 9 L,LW * *"},
        {"cron": "0 9 * * mon#1,5L"},
        {"cron": "0 9 29 2 *"},
        {"every": "1000ms", "missed": "all"},
    ],
    ids=str,
)
def test_sound_schedule_is_taken(given: Mapping[str, Any]) -> None:
    assert refuse(Schedule, given) is None


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({}, "", "expected either every or cron"),
        ({"every": "1h", "cron": "0 9 * * *"}, "", "expected either every or cron"),
        ({"every": "0s"}, "every", f"every: {DURATION}, not '0s'"),
        ({"every": "999ms"}, "every", f"every: {DURATION}, not '999ms'"),
        ({"every": "often"}, "every", f"every: {DURATION}, not 'often'"),
        ({"cron": "0 9 * *"}, "cron", f"cron: {FIVE}, not '0 9 * *'"),
        ({"cron": "0 0 9 * * *"}, "cron", f"cron: {FIVE}, not '0 0 9 * * *'"),
        ({"cron": "@daily"}, "cron", f"cron: {FIVE}, not '@daily'"),
        ({"cron": "99 99 99 99 9"}, "cron", wrong("99", "minute", "99 99 99 99 9")),
        ({"cron": "0 9 * * ١"}, "cron", wrong("١", "day of week", "0 9 * * ١")),
        ({"cron": "0 9 * mon *"}, "cron", wrong("mon", "month", "0 9 * mon *")),
        ({"cron": "0 9 * * 8"}, "cron", wrong("8", "day of week", "0 9 * * 8")),
        ({"cron": "0 24 * * *"}, "cron", wrong("24", "hour", "0 24 * * *")),
        ({"cron": "1, 9 * * *"}, "cron", wrong("1,", "minute", "1, 9 * * *")),
        ({"cron": "30-10 9 * * *"}, "cron", wrong("30-10", "minute", "30-10 9 * * *")),
        ({"cron": "*/0 9 * * *"}, "cron", wrong("*/0", "minute", "*/0 9 * * *")),
        ({"cron": "0 9 0 * *"}, "cron", wrong("0", "day of month", "0 9 0 * *")),
        ({"cron": "0 0 30 2 *"}, "cron", f"cron: {NEVER}, not '0 0 30 2 *'"),
        ({"cron": "0 0 */20 * 1L"}, "cron", f"cron: {NEVER}, not '0 0 */20 * 1L'"),
        ({"every": "1h", "missed": "two"}, "missed", "missed: input should be 'skip', 'one' or 'all', not 'two'"),
        ({"every": "1h", "timezone": "Mars/Olympus"}, "timezone", f"{ZONE}, not 'Mars/Olympus'"),
        ({"every": "1h", "timezone": "Europe"}, "timezone", f"{ZONE}, not 'Europe'"),
        ({"every": "1h", "timezone": "../../etc/passwd"}, "timezone", f"{ZONE}, not '../../etc/passwd'"),
        ({"every": "1h", "timezone": ""}, "timezone", f"{ZONE}, not ''"),
        ({"every": "1h", "timezone": "\0"}, "timezone", f"{ZONE}, not '\\x00'"),
    ],
    ids=lambda value: ascii(value) if isinstance(value, dict) else "",
)
def test_wrong_schedule_is_refused_at_its_field(given: Mapping[str, Any], field: str, sentence: str) -> None:
    assert refuse(Schedule, given) == (field, sentence)


@pytest.mark.parametrize(
    ("given", "wrong", "reason"),
    [
        ("timezone: Mars/Olympus, every: 1h", "Mars/Olympus", ZONE),
        ("cron: 99 99 99 99 9", "99 99 99 99 9", wrong("99", "minute", "99 99 99 99 9")),
        ("cron: 0 0 30 2 *", "0 0 30 2 *", NEVER),
        ("every: 0s", "0s", "every: "),
    ],
    ids=["time zone", "cron", "day that never comes", "duration"],
)
def test_wrong_schedule_of_a_flow_is_a_problem_at_its_place(
    make_adapter: Callable[..., Adapter], given: str, wrong: str, reason: str
) -> None:
    source = FLOW.replace("INPUT", given)
    [problem] = check(source, "daily.yaml", make_adapter().catalogue).problems
    line = source.split("\n")[problem.line - 1]
    assert (problem.line, problem.rule) == (4, "input")
    assert line[problem.column - 1 :].startswith(wrong)
    assert reason in problem.message


def test_number_of_thousands_of_digits_is_refused_as_any_other() -> None:
    _, sentence = refuse(Schedule, {"cron": f"{'9' * 5000} 9 * * *"}) or ("", "")
    assert "as its minute; it takes 0-59" in sentence


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"missed": "skip"}, True),
        ({"cron": "1 9 * * *"}, False),
        ({"timezone": "Asia/Tokyo"}, False),
    ],
    ids=str,
)
def test_timetable_is_another_one_where_its_ticks_are(other: Mapping[str, Any], same: bool) -> None:
    given = {"cron": "0 9 * * *", "timezone": "Europe/Berlin", "missed": "all"}
    assert SCHEDULE.timetable
    one, two = (SCHEDULE.timetable(Schedule.model_validate(value)) for value in (given, given | other))
    assert (one.key == two.key) == same
    assert (one.missed, two.missed) == ("all", other.get("missed", "all"))


def test_schedule_wants_its_own_source_and_tells_the_planned_time() -> None:
    event = Event("schedule", "schedule:1", EARLIER, {}, "schedule")
    given = Schedule(every="1h")
    assert SCHEDULE.select(event, given, RECEIVED) == Tick(scheduled_at=EARLIER)
    assert SCHEDULE.select(Event("schedule", "1", EARLIER, {}, "manual"), given, RECEIVED) is None
    assert SCHEDULE.select(Event("schedule", "1", EARLIER, {}, "webhook"), given, RECEIVED) is None


def test_manual_start_wants_its_own_source_and_tells_its_time() -> None:
    event = Event("manual", "manual:1", EARLIER, {}, "manual")
    assert MANUAL.select(event, NoInput(), RECEIVED) == Start(started_at=EARLIER)
    assert MANUAL.select(Event("manual", "1", EARLIER, {}, "schedule"), NoInput(), RECEIVED) is None
    assert MANUAL.select(Event("manual", "1", EARLIER, {}, "webhook"), NoInput(), RECEIVED) is None


def test_event_without_a_time_happened_when_it_was_received() -> None:
    tick = SCHEDULE.select(Event("schedule", "1", None, {}, "schedule"), Schedule(every="1h"), RECEIVED)
    assert tick == Tick(scheduled_at=RECEIVED)
    assert MANUAL.select(Event("manual", "1", None, {}, "manual"), NoInput(), RECEIVED) == Start(started_at=RECEIVED)
