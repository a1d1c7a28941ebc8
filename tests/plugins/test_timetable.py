"""The ticks: of cron lines over all that clocks do, and of whole multiples."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.plugins.timetable import Cron, Every

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def at(text: str) -> datetime:
    """A UTC time such as `2026-03-29 01:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(moments: list[datetime], zone: str = "UTC") -> list[str]:
    """What a clock of the zone shows, with its distance to UTC."""
    return [f"{moment.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for moment in moments]


def ticks(line: str, zone: str, after: str, until: str) -> list[datetime]:
    return Cron(line, ZoneInfo(zone)).due(START, at(after), at(until), 1_000)


@pytest.mark.parametrize(
    ("line", "zone", "after", "until", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-03-27 12:00",
            "2026-03-30 12:00",
            ["03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"],
            id="a time that the night has not: when the gap ends",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-10-24 12:00",
            "2026-10-26 12:00",
            ["10-25 02:30 +0200", "10-26 02:30 +0100"],
            id="a time that comes twice: the first time",
        ),
        pytest.param(
            "30 2 * * *",
            BERLIN,
            "2026-10-25 01:00",
            "2026-10-26 12:00",
            ["10-26 02:30 +0100"],
            id="from between both times: not again",
        ),
        pytest.param(
            "15,45 2,3 * * *",
            BERLIN,
            "2026-03-28 12:00",
            "2026-03-29 12:00",
            ["03-29 03:00 +0200", "03-29 03:15 +0200", "03-29 03:45 +0200"],
            id="several times in the gap: one tick",
        ),
        pytest.param(
            "0 * * * *",
            BERLIN,
            "2026-03-28 23:30",
            "2026-03-29 02:00",
            ["03-29 01:00 +0100", "03-29 03:00 +0200", "03-29 04:00 +0200"],
            id="hourly in spring",
        ),
        pytest.param(
            "30 * * * *",
            BERLIN,
            "2026-10-24 23:00",
            "2026-10-25 03:00",
            ["10-25 01:30 +0200", "10-25 02:30 +0200", "10-25 02:30 +0100", "10-25 03:30 +0100"],
            id="hourly in autumn",
        ),
        pytest.param(
            "*/20 2 * * *",
            BERLIN,
            "2026-10-24 23:00",
            "2026-10-25 12:00",
            [f"10-25 02:{minute} {offset}" for offset in ("+0200", "+0100") for minute in ("00", "20", "40")],
            id="the hour that comes twice, in order",
        ),
        pytest.param(
            "*/20 2 * * *",
            BERLIN,
            "2026-10-25 00:50",
            "2026-10-25 12:00",
            ["10-25 02:00 +0100", "10-25 02:20 +0100", "10-25 02:40 +0100"],
            id="from the end of the first of both hours",
        ),
        pytest.param(
            "*/20 2 * * *",
            BERLIN,
            "2026-03-28 12:00",
            "2026-03-29 12:00",
            [],
            id="the hour that the night has not, for a line that follows the clock",
        ),
        pytest.param(
            "30 2 * * *",
            NEW_YORK,
            "2026-03-07 12:00",
            "2026-03-08 12:00",
            ["03-08 03:00 -0400"],
            id="New York in spring",
        ),
        pytest.param(
            "30 1 * * *",
            NEW_YORK,
            "2026-10-31 12:00",
            "2026-11-01 12:00",
            ["11-01 01:30 -0400"],
            id="New York in autumn",
        ),
        pytest.param(
            "15 2 * * *",
            LORD_HOWE,
            "2026-10-03 03:00",
            "2026-10-04 03:00",
            ["10-04 02:30 +1100"],
            id="half an hour forward",
        ),
        pytest.param(
            "45 1 * * *",
            LORD_HOWE,
            "2026-04-04 03:00",
            "2026-04-05 03:00",
            ["04-05 01:45 +1100"],
            id="half an hour back",
        ),
        pytest.param(
            "30 * * * *",
            LORD_HOWE,
            "2026-10-03 14:30",
            "2026-10-03 17:00",
            ["10-04 01:30 +1030", "10-04 02:30 +1100", "10-04 03:30 +1100"],
            id="hourly, half an hour forward",
        ),
        pytest.param(
            "45 * * * *",
            LORD_HOWE,
            "2026-04-04 14:00",
            "2026-04-04 17:00",
            ["04-05 01:45 +1100", "04-05 01:45 +1030", "04-05 02:45 +1030"],
            id="hourly, half an hour back",
        ),
        pytest.param(
            "10 */3 * * *",
            LORD_HOWE,
            "2026-04-04 13:30",
            "2026-04-04 20:00",
            ["04-05 03:10 +1030", "04-05 06:10 +1030"],
            id="every third hour, half an hour back",
        ),
        pytest.param(
            "0 9 31 * *",
            "UTC",
            "2026-01-31 09:00",
            "2026-06-01 00:00",
            ["03-31 09:00 +0000", "05-31 09:00 +0000"],
            id="the 31st of months that have one",
        ),
        pytest.param(
            "0 9 L * *",
            BERLIN,
            "2026-02-01 00:00",
            "2026-04-01 00:00",
            ["02-28 09:00 +0100", "03-31 09:00 +0200"],
            id="the last day of a month",
        ),
        pytest.param(
            "0 9 LW * *", "UTC", "2026-05-01 00:00", "2026-06-01 00:00", ["05-29 09:00 +0000"], id="its last weekday"
        ),
        pytest.param(
            "0 9 * * mon#2,5L",
            "UTC",
            "2026-03-01 00:00",
            "2026-04-01 00:00",
            ["03-09 09:00 +0000", "03-27 09:00 +0000"],
            id="the second Monday and the last Friday",
        ),
        pytest.param(
            "0 9 1 * mon",
            "UTC",
            "2026-03-31 12:00",
            "2026-04-07 00:00",
            ["04-01 09:00 +0000", "04-06 09:00 +0000"],
            id="a day of month and a weekday: either",
        ),
    ],
)
def test_cron_line_ticks_as_the_clock_of_its_zone_shows(line, zone, after, until, expected):
    assert shown(ticks(line, zone, after, until), zone) == expected


def test_leap_day_comes_every_four_years():
    assert [tick.year for tick in ticks("0 0 29 2 *", "UTC", "2026-01-01", "2033-01-01")] == [2028, 2032]


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, "Antarctica/Troll", "America/Santiago"])
def test_line_that_follows_the_clock_ticks_at_each_minute_that_shows_it(zone):
    """Compared with asking the clock of the zone every five minutes of a year."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = (start + timedelta(minutes=number) for number in range(5, 365 * 24 * 60 + 1, 5))
    local = ((minute, minute.astimezone(ZoneInfo(zone))) for minute in minutes)
    expected = [minute for minute, clock in local if clock.minute in (0, 35) and clock.hour % 2 == 0]
    found = Cron("0,35 */2 * * *", ZoneInfo(zone)).due(START, start, start + timedelta(days=365), 10_000)
    assert found == expected


@pytest.mark.parametrize(
    ("line", "most", "expected"),
    [
        ("* * * * *", 2, ["03-25 10:29 +0000", "03-25 10:30 +0000"]),
        ("* 9 1 jan *", 2, ["01-01 09:58 +0000", "01-01 09:59 +0000"]),
        ("0 9 1 jan *", 10, ["01-01 09:00 +0000"] * 6),
    ],
    ids=["dense", "many together, long ago", "all there are"],
)
def test_newest_ticks_of_years_are_found(line, most, expected):
    found = Cron(line, UTC).due(START, at("2020-03-01 00:00"), START, most)
    assert shown(found) == expected
    assert found == sorted(set(found))


def test_tick_after_a_moment_is_later_than_it():
    cron = Cron("* * * * *", UTC)
    assert cron.following(START, START) == START + timedelta(minutes=1)
    assert cron.following(START, START - timedelta(microseconds=1)) == START


def test_multiples_do_not_drift_however_late_they_are_asked_for():
    every = Every(timedelta(seconds=7))
    moment, found = START, []
    for late in (0, 6.9, 3, 0.1):
        moment = every.following(START, moment) + timedelta(seconds=late)
        found.append((every.due(START, START, moment, 1)[0] - START).total_seconds())
    assert found == [7, 14, 21, 28]


def test_multiples_are_of_time_that_passes_not_of_the_clock():
    start = at("2026-03-28 22:30")
    assert shown(Every(timedelta(days=1)).due(start, start, start + timedelta(days=1), 9), BERLIN) == [
        "03-30 00:30 +0200"
    ]


@pytest.mark.parametrize(
    ("after", "until", "most", "expected"),
    [
        (0, 25, 9, [10, 20]),
        (10, 20, 9, [20]),
        (0, 10_000_000, 2, [9_999_990, 10_000_000]),
        (20, 25, 9, []),
        (-25, 9, 9, []),
    ],
    ids=["two", "later than the one before", "the newest of many", "none yet", "none before the anchor"],
)
def test_multiples_that_are_due(after, until, most, expected):
    moments = [START + timedelta(seconds=seconds) for seconds in (after, until)]
    found = Every(timedelta(seconds=10)).due(START, *moments, most)
    assert [(tick - START).total_seconds() for tick in found] == expected
