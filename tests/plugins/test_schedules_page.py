"""docs/schedules.md shows flows that check, and says when they start."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connector.flows.check import check
from connector.plugins.starts import Schedule
from connector.plugins.timetable import Cron
from connector.runs.schedules import MOST, PUNCTUAL, SET_BACK
from connector.validation import refuse

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text()
BERLIN = ZoneInfo("Europe/Berlin")
FLOWS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.split()[1])
def test_shown_flow_checks_and_is_started_by_the_clock(make_adapter, flow):
    checked = check(flow, "page.yaml", make_adapter().catalogue)
    assert checked.problems == []
    assert checked.flow is not None
    assert checked.flow.trigger.uses == "schedule"


def test_three_flows_and_four_lines_are_shown():
    assert (len(FLOWS), len(ROWS)) == (3, 4)


@pytest.mark.parametrize(("line", "spring", "autumn"), ROWS)
def test_line_starts_when_the_page_says(line, spring, autumn):
    for month, day, told in ((3, 29, spring), (10, 25, autumn)):
        begin = datetime(2026, month, day, tzinfo=BERLIN).astimezone(UTC)
        found = Cron(line, BERLIN).due(begin, begin, begin + timedelta(hours=12), 100)
        shown = [tick.astimezone(BERLIN).isoformat(timespec="minutes").partition("T")[2] for tick in found]
        assert (", ".join(shown) or "not") == told


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ("The shortest is `1s`.", refuse(Schedule, {"every": "1s"}) is None and refuse(Schedule, {"every": "999ms"})),
        ("`one`, also where nothing is said", Schedule(every="1s").missed == "one"),
        ("the newest 1,000 at most", MOST == 1_000),
        ("only more than a minute later", timedelta(minutes=1) == PUNCTUAL),
        ("more than a day back, the schedule begins anew", timedelta(days=1) == SET_BACK),
    ],
)
def test_limit_is_that_of_the_code(said, holds):
    assert holds
    assert said in PAGE
