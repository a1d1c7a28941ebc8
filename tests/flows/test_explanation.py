from typing import Any

import pytest

from connector.flows import types
from connector.flows.document import Scalar, Source
from connector.flows.explanation import why_false
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report
from connector.flows.slots import Slots
from connector.flows.types import ANY, BOOL, NULL, STR, TIME, ListOf

PAGE = types.record("Page", {"url": STR, "title": types.union([STR, NULL]), "at": TIME})
KNOWN = Known(
    {"trigger": ANY, "steps": ANY, "flag": BOOL, "now": TIME, "then": TIME, "same": TIME, "pages": ListOf(PAGE)}
)
SCOPE: dict[str, Any] = {
    "trigger": {"name": "Ann", "none": None, "score": 3, "tags": ["vip"], "text": "x" * 200, "odd": "\x1b\ud800"},
    "steps": {"contact": {"created": False}, "chat": {"found": True}},
    "flag": False,
    "now": "2026-03-25T10:30:00Z",
    "then": "2026-03-25T12:00:00+02:00",
    "same": "2026-03-25T12:30:00+02:00",
    "pages": [
        {"url": "a", "title": "A", "at": "2026-03-25T01:00:00Z"},
        {"url": "b", "title": None, "at": "2026-03-25T11:00:00Z"},
    ],
}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flag", "flag is false"),
        ("false", "false is false"),
        ("steps.contact.created", "steps.contact.created is false"),
        ("steps.chat.found && steps.contact.created", "steps.contact.created is false"),
        ("steps.contact.created && steps.chat.found", "steps.contact.created is false"),
        ("steps.chat.found && (steps.chat.found && steps.contact.created)", "steps.contact.created is false"),
        ("trigger.name == 'Bob'", "trigger.name == 'Bob' is false: trigger.name is \"Ann\""),
        ("trigger.none != null", "trigger.none != null is false: trigger.none is null"),
        ("trigger.none?.a == 1", "trigger.none?.a == 1 is false: trigger.none?.a is null"),
        ("!steps.chat.found", "!steps.chat.found is false: steps.chat.found is true"),
        ("trigger.score > 5 && flag", "trigger.score > 5 is false: trigger.score is 3"),
        ("steps.chat.found && trigger.score > size(trigger.tags) + 5",
         "trigger.score > size(trigger.tags) + 5 is false: trigger.score is 3, trigger.tags is [\"vip\"]"),
        ("flag || trigger.score == 4", "flag || trigger.score == 4 is false: flag is false, trigger.score is 3"),
        ("trigger.score == 4 || trigger.score == 5",
         "trigger.score == 4 || trigger.score == 5 is false: trigger.score is 3"),
        ("trigger.tags[0]\n  ==   'new'", "trigger.tags[0] == 'new' is false: trigger.tags[0] is \"vip\""),
        ("  flag ", "flag is false"),
        ("now < then", 'now < then is false: now is "2026-03-25T10:30:00Z", then is "2026-03-25T12:00:00+02:00"'),
        ("steps.chat.found && now == then && flag",
         'now == then is false: now is "2026-03-25T10:30:00Z", then is "2026-03-25T12:00:00+02:00"'),
        ("trigger.text == ''", f"trigger.text == '' is false: trigger.text is \"{'x' * 79}…"),
        ("trigger.odd == ''", "trigger.odd == '' is false: trigger.odd is \"\\u001b\\ud800\""),
        ("now == same && flag", "flag is false"),
        ("trigger.tags.exists(x, x == trigger.name)",
         "trigger.tags.exists(x, x == trigger.name) is false: trigger.tags is [\"vip\"], trigger.name is \"Ann\""),
        ("trigger.tags.exists(x, trigger.tags.exists(y, x == y + 'a'))",
         "trigger.tags.exists(x, trigger.tags.exists(y, x == y + 'a')) is false: trigger.tags is [\"vip\"]"),
        ("[].exists(x, x.name == 'a') || flag", "[].exists(x, x.name == 'a') || flag is false: flag is false"),
        ("pages.all(p, p.url != '' && p.title != null)",
         "pages.all(p, p.url != '' && p.title != null) is false: pages[1].title is null"),
        ("pages.all(p, p.at < now)",
         'pages.all(p, p.at < now) is false: pages[1].at is "2026-03-25T11:00:00Z", now is "2026-03-25T10:30:00Z"'),
        ("trigger.tags.filter(t, t == trigger.name) != [] && flag",
         'trigger.tags.filter(t, t == trigger.name) != [] is false: trigger.tags is ["vip"], trigger.name is "Ann"'),
        ("trigger.none == null ? flag : trigger.none.a.all(x, x == 1)",
         "trigger.none == null ? flag : trigger.none.a.all(x, x == 1) is false: trigger.none is null, flag is false"),
        ("(trigger.none == null ? flag : trigger.none.a.b)",
         "(trigger.none == null ? flag : trigger.none.a.b) is false: trigger.none is null, flag is false"),
    ],
)  # fmt: skip
def test_false_condition_is_explained_by_its_part_and_values(text: str, why: str) -> None:
    report, node = Report("f"), Scalar(text, text, None, 0, len(text))
    condition = Slots(Source(text), report).expression(node, KNOWN, types.BOOL)
    assert report.problems() == []
    assert condition is not None
    assert condition.evaluate(SCOPE) is False
    assert why_false(condition, SCOPE) == why
