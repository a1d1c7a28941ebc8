"""limit and offset of the two lists that have them."""

import pytest

LISTS = pytest.mark.parametrize(
    ("action", "key", "story_key"),
    [("v1-conversations", "conversations", "conversation_id"), ("v1-leads", "leads", "lead_id")],
    ids=["conversations", "leads"],
)


@pytest.fixture
def read_ids(site):
    def read(action, key, **query):
        return [item["id"] for item in site.call("GET", action, **query).json()[key]]

    return read


@LISTS
def test_limit_and_offset_cut_out_a_page(site, read_ids, action, key, story_key):
    made = [site.visit()[story_key] for _ in range(5)][::-1]
    assert read_ids(action, key, limit="2", offset="1") == made[1:3]
    assert read_ids(action, key, limit="2", offset="4") == made[4:]
    assert read_ids(action, key, offset="5") == []


@LISTS
def test_a_page_holds_50_by_default_and_never_more_than_100(site, read_ids, action, key, story_key):
    for _ in range(101):
        site.visit()
    assert len(read_ids(action, key)) == 50
    assert len(read_ids(action, key, limit="100")) == 100
    assert len(read_ids(action, key, limit="101")) == 100


def test_the_echoed_limit_is_the_one_that_was_used(start):
    body = start(max_limit=20).call("GET", "v1-conversations", limit="30", offset="7").json()
    assert (body["limit"], body["offset"]) == (20, 7)


@LISTS
@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "-1"}, {"limit": "ten"}, {"offset": "-1"}, {"offset": "1.5"}], ids=str
)
def test_a_limit_or_offset_that_is_no_such_number_gets_400(site, action, key, story_key, query):
    assert site.call("GET", action, **query).status_code == 400
