"""The page of analytics, of a real server and from a seeded store; and the scale of its charts."""

import re
from datetime import UTC, datetime

import httpx
import pytest
from browser.world import fill_analytics

from connector.server.charts import label, scale
from connector.server.views.analytics import AnalyticsShown


@pytest.mark.parametrize(
    ("most", "percent", "texts"),
    [
        (0, False, ["0", "1"]),
        (1, False, ["0", "1"]),
        (3, False, ["0", "1", "2", "3"]),
        (14, False, ["0", "5", "10", "15"]),
        (1_686, False, ["0", "500", "1,000", "1,500", "2,000"]),
        (0, True, ["0 %", "1 %"]),
        (0.3, True, ["0 %", "10 %", "20 %", "30 %"]),
        (1.0, True, ["0 %", "50 %", "100 %"]),
    ],
)
def test_scale_is_round_and_goes_up_to_the_most(most, percent, texts):
    found = scale(most, percent=percent)
    assert [text for _, text in found.lines] == texts
    assert found.top == found.lines[-1][0] >= most


@pytest.mark.parametrize(
    ("unit", "count", "shown"), [("hour", 24, 4), ("day", 7, 7), ("day", 30, 6), ("month", 12, 12)]
)
def test_bars_have_as_many_words_as_there_is_room_for(unit, count, shown):
    moments = [datetime(2026, 3, 1, number if unit == "hour" else 0, tzinfo=UTC) for number in range(24)] * 2
    assert sum(bool(label(moments[place], unit, place, count)) for place in range(count)) == shown


def test_page_shows_what_the_samples_tell(server, sandbox):
    def ask(**wanted: str) -> AnalyticsShown:
        answer = httpx.get(f"{server.address}/api/analytics", params=wanted)
        return AnalyticsShown.model_validate_json(answer.text)

    def read(**wanted: str) -> str:
        return httpx.get(f"{server.address}/analytics", params=wanted).text

    agent = f"default/{sandbox.agent_id}"
    assert "They are listed within a minute" in read()
    assert "The first numbers come within an hour" in read(agent=agent)
    fill_analytics(server.database, sandbox.agent_id, datetime.now(UTC))
    for period, count in (("24h", 24), ("7d", 7), ("30d", 30), ("12m", 12)):
        found = ask(agent=agent, period=period).total
        assert len(found.parts) == count
        assert found.complete
        page = read(agent=agent, period=period)
        for name in ("conversations", "leads", "messages"):
            total = getattr(found, name)
            assert total == sum(getattr(part, name) or 0 for part in found.parts)
            assert f"<figcaption>{name.capitalize()} <b>{total:,}</b>" in page
        assert page.count('<th scope="row">') == count + 1
        assert len(re.findall('<rect class="bar"', page)) == sum(
            bool(getattr(part, name))
            for part in found.parts
            for name in ("conversations", "leads", "conversion", "messages")
        )
    assert "Nothing" not in read(agent=agent)
    assert "there is no chatforge connection &#39;x&#39;" in read(agent="x/<b>")
    assert "<b>&" not in read(agent="x/<b>")
    server.database.with_name("analytics.sqlite").write_bytes(b"no database " * 1000)
    for name in ("-wal", "-shm"):
        server.database.with_name(f"analytics.sqlite{name}").unlink(missing_ok=True)
    assert "cannot be used: file is not a database" in read(agent=agent)
