"""How a line of the log looks, as text and as JSON."""

import json
import logging
import re

import pytest

from connector import whereabouts
from connector.cli.log_lines import make_formatter

HOSTILE = 'Ann\n2026-03-25 10:30:00 INFO audit: forged\r\x1b[2J\u202e\u2028 "}\ud800\0'
PLACE = {"flow": "lead-to-crm", "run": "run_1", "step": "notify[0]"}


def write(format, message, *args, exc_info=None) -> str:
    record = logging.LogRecord("connector.test.say", logging.WARNING, __file__, 1, message, args, exc_info)
    return make_formatter(format).format(record)


def fault(text):
    error = ValueError(text)
    return type(error), error, None


def test_text_is_one_line_that_says_where():
    with whereabouts.at(**PLACE):
        line = write("text", "said %s", "hello")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARNING said hello  flow=lead-to-crm run=run_1 step=notify\[0\]", line
    )


def test_json_is_an_object_that_says_where_and_when_in_utc():
    with whereabouts.at(**PLACE):
        entry = json.loads(write("json", "said %s", "hello"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {"level": "warning", "message": "said hello", "logger": "connector.test.say", **PLACE}


def test_an_event_does_not_hide_the_message():
    with whereabouts.at(event="event_1"):
        assert json.loads(write("json", "held"))["message"] == "held"
        assert write("text", "held").endswith(" WARNING held  event=event_1")


@pytest.mark.parametrize("format", ["text", "json"])
def test_what_a_visitor_typed_makes_no_second_line(format):
    line = write(format, "said %s", HOSTILE)
    assert line.isascii()
    assert line.isprintable()
    if format == "json":
        assert json.loads(line)["message"] == f"said {HOSTILE}"


def test_lines_of_a_traceback_are_indented_so_that_none_looks_like_another_entry():
    first, *below = write("text", "failed", exc_info=fault(HOSTILE)).splitlines()
    assert first.endswith(" WARNING failed")
    assert any("ValueError: Ann" in line for line in below)
    assert all(line.startswith("    ") and line.isprintable() for line in below)
    entry = json.loads(write("json", "failed", exc_info=fault("broken")))
    assert entry["exception"].endswith("ValueError: broken")


def test_traceback_of_an_action_which_is_a_message_keeps_its_lines():
    trace = 'Traceback (most recent call last):\n  File "say.py", line 1\nValueError: broken'
    first, *below = write("text", "%s", trace).splitlines()
    assert first.endswith(" WARNING ValueError: broken")
    assert below[1:] == ['      File "say.py", line 1', "    ValueError: broken"]
