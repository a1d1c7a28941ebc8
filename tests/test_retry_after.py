from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connector.retry_after import read_retry_after

NOW = datetime(2026, 3, 25, 14, 30, tzinfo=UTC)
IN_A_MINUTE = "Wed, 25 Mar 2026 14:31:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("12", 12.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Wednesday, 25-Mar-26 14:31:00 GMT", 60.0),
        ("Wed Mar 25 14:31:00 2026", 60.0),
        ("Wed, 25 Mar 2026 14:31:00 -0000", 60.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("1e5", None),
        ("1,5", 5.0),
        ("10 s", None),
        ("+5", None),
        ("86400", 86_400.0),
        ("86400.1", None),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), 86_400.0),
        (format_datetime(NOW + timedelta(days=1, seconds=1), usegmt=True), None),
        ("2026-03-25T14:31:00Z", None),
        ("9" * 400, None),
        ("١٢", None),
        ("Wed, 99 Mar 2026 14:31:00 GMT", None),
        ("Wed, 25 Mar 99999 14:31:00 GMT", None),
        ("Wed, 25 Mar 2026 14:31:00 +9999999999999", None),
    ],
)
def test_retry_after_is_read_or_ignored(value: str | None, seconds: float | None) -> None:
    assert read_retry_after({} if value is None else {"retry-after": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        pytest.param(NOW, 60.0, id="right"),
        pytest.param(NOW - timedelta(minutes=10), 660.0, id="late"),
        pytest.param(NOW + timedelta(seconds=50), 10.0, id="early"),
        pytest.param(NOW + timedelta(minutes=10), 0.0, id="after the date"),
        pytest.param(None, 60.0, id="unknown"),
    ],
)
def test_date_is_on_the_clock_of_whoever_wrote_it(date: datetime | None, seconds: float) -> None:
    headers = {"retry-after": IN_A_MINUTE, "date": format_datetime(date, usegmt=True) if date else "today"}
    assert read_retry_after(headers, NOW) == seconds


def test_seconds_need_no_clock() -> None:
    date = format_datetime(NOW - timedelta(minutes=10), usegmt=True)
    assert read_retry_after({"retry-after": "7", "date": date}, NOW) == 7.0


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["5", "10"], 10.0),
        (["10", "soon"], 10.0),
        ([IN_A_MINUTE, "10"], 60.0),
        (["90", IN_A_MINUTE], 90.0),
        ([IN_A_MINUTE, "Wednesday, 25-Mar-26 14:32:00 GMT"], 120.0),
        (["10", "172800"], 10.0),
        (["soon", "later"], None),
        (["-5", "-10"], 0.0),
    ],
)
def test_longest_of_several_counts(values: list[str], seconds: float | None) -> None:
    headers = httpx.Headers([("Retry-After", value) for value in values])
    assert read_retry_after(headers, NOW) == seconds
