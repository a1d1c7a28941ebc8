"""What a poll of a list makes of the state that it kept, perhaps by another release."""

from datetime import UTC, datetime

import pytest

from connector.chatforge.polled import LEADS

NOW = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "state",
    [{"number": 7, "later": True}, {"number": 7, "order": "by name"}, {"number": 7, "walk": {}}],
    ids=["field", "value", "walk"],
)
def test_walk_whose_state_cannot_be_read_begins_anew_and_is_counted_on(state: dict[str, object]) -> None:
    step = LEADS.begin("a", state, NOW, False)
    assert step.request is not None
    assert (step.number, step.request.input["offset"]) == (8, 0)


def test_walk_begins_anew_where_not_even_its_number_can_be_read() -> None:
    assert LEADS.begin("a", {"number": None}, NOW, False).number == 1
