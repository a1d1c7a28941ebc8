"""What the functions on texts, URLs and times, and the macros, give."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.flows import hours, patterns, zones
from connector.flows.expressions import texts, urls
from connector.flows.expressions.evaluation import closure, metered
from connector.flows.expressions.functions import FUNCTIONS
from connector.flows.expressions.syntax import parse

SCOPE: dict[str, Any] = {
    "people": [{"name": "Ann", "age": 40}, {"name": "Bob", "age": None}, {"name": "Cid", "age": 20}],
    "tags": ["vip", "new"],
    "empty": [],
    "time": "2026-03-25T10:30:05Z",  # a Wednesday
    "run": {"started_at": "2026-03-25T10:45:05.9Z"},
}


def ignore(_work: int) -> None:
    """Counts nothing."""


def evaluate(text: str) -> Any:
    return metered(closure(parse(text)))(SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("int('12')", 12),
        ("int('-0')", 0),
        ("int('1.9')", 1),
        ("int('-1.9')", -1),
        ("int('1e3')", 1000),
        ("int('9223372036854775807')", 2**63 - 1),
        ("int('9223372036854775808')", None),
        ("int('1e300')", None),
        ("int('')", None),
        ("int(' 12')", None),
        ("int('+12')", None),
        ("int('012')", None),
        ("int('12 apples')", None),
        ("int('0x10')", None),
        ("int('1_000')", None),
        ("int('١٢')", None),
        ("int(7)", 7),
        ("int(-7.9)", -7),
        ("number('1.50')", 1.5),
        ("number('12')", 12),
        ("number('12.0')", 12.0),
        ("number('99999999999999999999')", 1e20),
        ("number('1e999')", None),
        ("number('NaN')", None),
        ("number('Infinity')", None),
        ("number('.5')", None),
        ("number('5.')", None),
        ("number('1\\n')", None),
        ("number(1.5)", 1.5),
        ("split('a, b,c', ',')", ["a", " b", "c"]),
        ("split('', ',')", [""]),
        ("split('abc', trim(' '))", ["abc"]),
        ("join(['a', 1, 1.5, true], ', ')", "a, 1, 1.5, true"),
        ("join(empty, ', ')", ""),
        ("json(people[0])", '{"name":"Ann","age":40}'),
        ("json('é\\n')", '"é\\n"'),
        ("json(null)", "null"),
        ("json([1.0, true])", "[1.0,true]"),
        ("url_encode('a b/ä?&=.~+')", "a%20b%2F%C3%A4%3F%26%3D.~%2B"),
        ("url_encode('😀')", "%F0%9F%98%80"),
        (r"url_encode('\ud800')", "%EF%BF%BD"),
        ("url_host('https://user:pw@Shop.Example.COM:8443/a?b#c')", "shop.example.com"),
        ("url_host('//example.com')", "example.com"),
        ("url_host(' http://example.com ')", "example.com"),
        ("url_host('http://[2001:DB8::1]:80/')", "[2001:db8::1]"),
        ("url_host('https://münchen.example/')", "münchen.example"),
        (r"url_host('https://a.example\\@b.example/')", "a.example"),
        ("url_host('https://a.example?@b.example/')", "a.example"),
        ("url_host('https://a@b@c.example/')", "c.example"),
        ("url_host('example.com/a')", None),
        ("url_host('mailto:ann@example.com')", None),
        ("url_host('http://')", None),
        ("url_host('http://exa mple.com')", None),
        ("url_host('http://[::1')", None),
        ("url_host('')", None),
        (f"url_host('https://{'a' * 1_001}/')", None),
        ("url_path('https://example.com/a%20b/c?d#e')", "/a%20b/c"),
        ("url_path('/a#b?c')", "/a"),
        ("url_path('https://example.com')", None),
        ("url_path('https://example.com?a=/b')", None),
        ("url_query('https://e.com/?utm_source=a+b&x=%C3%A4&x=2&&flag&=n#y=1')",
         {"utm_source": "a b", "x": "ä", "flag": "", "": "n"}),
        ("url_query('?a=b=c&d=%zz&e=%ff')", {"a": "b=c", "d": "%zz", "e": "�"}),
        ("url_query('https://example.com/')", {}),
        ("age(time)", 900),
        ("age('2026-03-25T11:45:06+00:00')", -3600),
        ("age(run.started_at)", 0),
        ("people.exists(p, p.name == 'Bob')", True),
        ("people.exists(p, p.name == 'Dan')", False),
        ("people.exists(p, p.name == 'Ann' || p.age > 3)", True),  # Bob, whose age has no order, is not asked
        ("empty.exists(p, p.a.b)", False),
        ("people.all(p, p.age != null)", False),
        ("people.all(p, p.age != 40 && p.age > 3)", False),
        ("people.all(p, p.name != '')", True),
        ("empty.all(p, p.a.b)", True),
        ("people.filter(p, p.age != null).map(p, p.name)", ["Ann", "Cid"]),
        ("map(tags, t, tags.map(u, t + u))", [["vipvip", "vipnew"], ["newvip", "newnew"]]),
        ("people.map(p, tags.exists(t, t == p.name.lower()))", [False, False, False]),
        ("tags.map(t, people.filter(p, p.name.size() == size(t)).size())", [3, 3]),
        ("join(people.map(p, p.name), ' & ')", "Ann & Bob & Cid"),
    ],
)  # fmt: skip
def test_function_has_value(text: str, value: Any) -> None:
    result = evaluate(text)
    assert result == value
    assert type(result) is type(value)


def test_macro_leaves_no_trace_in_the_scope() -> None:
    evaluate("people.map(p, tags.map(t, p.name + t))")
    assert SCOPE.keys() == {"people", "tags", "empty", "time", "run"}


@pytest.mark.parametrize(
    ("pattern", "zone", "text"),
    [
        ("%d.%m.%Y %H:%M", "UTC", "25.03.2026 10:30"),
        ("%d.%m.%Y %H:%M %Z", "Europe/Berlin", "25.03.2026 11:30 CET"),
        ("%A %a %B %b %j %y", "UTC", "Wednesday Wed March Mar 084 26"),
        ("%I:%M:%S %p %z", "America/New_York", "06:30:05 AM -0400"),
        ("%I %p", "Asia/Tokyo", "07 PM"),
        ("100%% %d\n%%d", "UTC", "100% 25\n%d"),
        ("%H%M", "Asia/Kathmandu", "1615"),
    ],
)
def test_time_is_written_by_its_pattern(pattern: str, zone: str, text: str) -> None:
    assert FUNCTIONS["format_time"].call(SCOPE["time"], pattern, zone) == text


@pytest.mark.parametrize(("hour", "text"), [(0, "12 AM"), (11, "11 AM"), (12, "12 PM"), (23, "11 PM")])
def test_hours_of_a_clock_with_twelve(hour: int, text: str) -> None:
    assert evaluate(f"format_time('2026-03-25T{hour:02}:00:00Z', '%I %p')") == text


def test_time_is_written_in_utc_where_no_zone_is_given() -> None:
    assert evaluate("format_time('2026-03-25T01:00:00+02:00', '%d %H:%M %Z')") == "24 23:00 UTC"


def test_summer_time_counts() -> None:
    assert evaluate("format_time('2026-07-01T10:00:00Z', '%H %Z', 'Europe/Berlin')") == "12 CEST"


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        ("DD.MM.YYYY HH:mm", "write '%d.%m.%Y %H:%M'"),
        ("MMMM YYYY", "write '%B %Y'"),
        ("yyyy-MM-dd", "write '%Y-%m-%d'"),
        ("soon", "write '%d.%m.%Y %H:%M'"),
        ("", "write '%d.%m.%Y %H:%M'"),
        ("100%", "write %% for a percent sign"),
        ("%%", None),
        ("%-d", "write %Y %y"),
        ("%é", "write %Y %y"),
        ("%Y" * 101, "write at most 200 characters"),
    ],
)
def test_wrong_pattern_says_what_to_write(pattern: str, instead: str | None) -> None:
    assert patterns.is_pattern(pattern) == (instead is None)
    if instead:
        with pytest.raises(ValueError, match=f"^{instead}"):
            patterns.parts(pattern)


WEEK = "Mon-Fri 09:00-17:00; Sat 10:00-14:00"


@pytest.mark.parametrize(
    ("time", "spans", "zone", "is_within"),
    [
        ("2026-03-25T08:59:59Z", WEEK, "UTC", False),
        ("2026-03-25T09:00:00Z", WEEK, "UTC", True),
        ("2026-03-25T16:59:59Z", WEEK, "UTC", True),
        ("2026-03-25T17:00:00Z", WEEK, "UTC", False),
        ("2026-03-28T13:00:00Z", WEEK, "UTC", True),
        ("2026-03-28T15:00:00Z", WEEK, "UTC", False),
        ("2026-03-29T11:00:00Z", WEEK, "UTC", False),
        ("2026-03-25T08:30:00Z", WEEK, "Europe/Berlin", True),
        ("2026-03-25T16:30:00Z", WEEK, "Europe/Berlin", False),
        # In summer time the same hours come an hour earlier.
        ("2026-03-30T07:30:00Z", WEEK, "Europe/Berlin", True),
        ("2026-03-27T07:30:00Z", WEEK, "Europe/Berlin", False),
        # The local day counts, not that of UTC.
        ("2026-03-22T23:30:00Z", "Mon", "Europe/Berlin", True),
        ("2026-03-23T23:30:00Z", "Mon", "Europe/Berlin", False),
        ("2026-03-27T22:00:00Z", "Fri 22:00-06:00", "UTC", True),
        ("2026-03-28T05:59:00Z", "Fri 22:00-06:00", "UTC", True),
        ("2026-03-28T06:00:00Z", "Fri 22:00-06:00", "UTC", False),
        ("2026-03-27T05:00:00Z", "Fri 22:00-06:00", "UTC", False),
        ("2026-03-30T01:00:00Z", "Sun 22:00-06:00", "UTC", True),
        ("2026-03-25T12:30:00Z", "Mon,Wed 09:00-12:00,13:00-17:00", "UTC", False),
        ("2026-03-25T13:30:00Z", "Mon,Wed 09:00-12:00,13:00-17:00", "UTC", True),
        ("2026-03-23T13:30:00Z", "Mon,Wed 09:00-12:00,13:00-17:00", "UTC", True),
        ("2026-03-24T13:30:00Z", "Mon,Wed 09:00-12:00,13:00-17:00", "UTC", False),
        ("2026-03-23T20:00:00Z", "Mon; Tue 09:00-12:00", "UTC", True),
        ("2026-03-23T20:00:00Z", "Mon, Tue 09:00-12:00", "UTC", False),
        ("2026-03-28T20:00:00Z", "Mon 09:00-12:00, Sat", "UTC", True),
        ("2026-03-23T20:00:00Z", "Mon 09:00-12:00, Sat", "UTC", False),
        ("2026-03-28T10:00:00Z", "Mon 09:00-12:00, Sat 10:00-11:00", "UTC", True),
        ("2026-03-23T10:00:00Z", "Fri-Mon 9:00 - 17:00", "UTC", True),
        ("2026-03-24T10:00:00Z", "Fri-Mon 9:00 - 17:00", "UTC", False),
        ("2026-03-25T23:59:00Z", "00:00-24:00", "UTC", True),
        ("2026-03-25T23:59:00Z", "wednesday", "UTC", True),
        ("2026-03-25T10:30:00Z", "10:00-11:00", "UTC", True),
    ],
)  # fmt: skip
def test_time_is_within_hours(time: str, spans: str, zone: str, is_within: bool) -> None:
    assert evaluate(f"within('{time}', '{spans}', '{zone}')") is is_within


@pytest.mark.parametrize(
    ("spans", "instead"),
    [
        ("", "write hours such as 'Mon-Fri 09:00-17:00'"),
        ("Mon-Fri 09:00-17:00;", "write hours such as"),
        ("Mon–Fri 09:00–17:00", "write hours such as"),
        ("Mon Fri 09:00-17:00", "write hours such as"),
        ("Mon-Fri 9-17", "write 09:00-17:00 for times, not '9-17'"),
        ("Mon-Fri 09:00", "write 09:00-17:00 for times, not '09:00'"),
        ("Mon-Fri 9am-5pm", "write 09:00-17:00 for times, not '9am-5pm'"),
        ("Mo-Fr 09:00-17:00", "write days as Mon Tue Wed Thu Fri Sat Sun, such as Mon for 'Mo'"),
        ("Mittwoch", "write days as Mon Tue Wed Thu Fri Sat Sun$"),
        ("09:00-25:00", "write times between 00:00 and 24:00, not 25:00"),
        ("09:60-10:00", "write times between 00:00 and 24:00, not 09:60"),
        ("09:00-09:00", "write 00:00-24:00 for a whole day"),
        ("24:00-09:00", "write 00:00 for the start of a day"),
        ("Mon;" * 51, "write at most 200 characters"),
    ],
)
def test_wrong_hours_say_what_to_write(spans: str, instead: str) -> None:
    assert not hours.is_hours(spans)
    with pytest.raises(ValueError, match=f"^{instead}"):
        hours.spans(spans)


@pytest.mark.parametrize(
    "name", ["", "Europe", "Europe/Berln", "europe/berlin", "/etc/localtime", "../UTC", "a" * 5000, "\0", "\ud800", "."]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    assert not zones.is_zone(name)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("PST", None),
        ("Nowhere", None),
    ],
)
def test_zone_that_was_meant(name: str, zone: str | None) -> None:
    assert zones.meant(name) == zone


@given(text=st.text(st.characters()) | st.text("htps:/?#[]@\\&=%41ab.+ "))
def test_any_text_is_read_as_a_url(text: str) -> None:
    assert not set(urls.host(ignore, text) or "") & set("/?#@\\ \n")
    assert not set(urls.path(ignore, text) or "") & set("?#")
    assert all(map(str.isprintable, urls.encode(ignore, text)))
    urls.query(ignore, text)


@given(number=st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_number_that_was_written_is_read_again(number: float) -> None:
    assert texts.to_number(FUNCTIONS["string"].call(number)) == number


@given(text=st.text(), separator=st.text(min_size=1))
def test_what_was_split_is_joined_again(text: str, separator: str) -> None:
    parts = texts.split(ignore, text, separator)
    assert texts.join(ignore, parts, separator) == text


@given(text=st.text("MonTueFri 0123456789:-,;") | st.text())
def test_any_text_is_hours_or_not(text: str) -> None:
    assert hours.is_hours(text) == (not text.isspace() and hours.is_hours(f" {text} "))
