"""The orders of the lists, and items that are listed late."""

from itertools import pairwise

import pytest

LISTS = pytest.mark.parametrize(
    ("action", "key", "story_key"),
    [("v1-conversations", "conversations", "conversation_id"), ("v1-leads", "leads", "lead_id")],
    ids=["conversations", "leads"],
)


def read_ids(site, action, key, **query):
    return [item["id"] for item in site.call("GET", action, **query).json()[key]]


def back_date(site, story_key, *times):
    """Stories told in this order, whose times of day are others."""
    return [site.visit(created_at=f"2026-03-25T{time}Z")[story_key] for time in times]


@LISTS
@pytest.mark.parametrize(
    ("list_order", "places"),
    [("newest_first", [3, 1, 2, 0]), ("oldest_first", [0, 2, 1, 3])],
    ids=["newest first", "oldest first"],
)
def test_the_order_goes_by_time_and_within_it_by_coming_in(start, action, key, story_key, list_order, places):
    site = start(list_order=list_order)
    made = back_date(site, story_key, "08:00:00", "09:00:00", "08:30:00", "09:00:00")
    assert read_ids(site, action, key) == [made[place] for place in places]


@LISTS
def test_a_shuffled_order_stays_and_is_neither_of_the_others(start, clock, action, key, story_key):
    site = start(list_order="shuffled")
    made = []
    for _ in range(40):
        made.append(site.visit()[story_key])
        clock.advance(1)
    shuffled = read_ids(site, action, key)
    assert sorted(shuffled) == sorted(made)
    assert shuffled not in (made, made[::-1])
    assert read_ids(site, action, key) == shuffled


def test_a_new_item_may_land_anywhere_in_a_shuffled_list(start):
    site = start(list_order="shuffled")
    places = set()
    for count in range(40):
        new = site.visit()["lead_id"]
        places.add(read_ids(site, "v1-leads", "leads").index(new) / (count + 1))
    assert len([place for place in places if 0.1 < place < 0.9]) > 5


@LISTS
def test_an_unstable_order_changes_within_a_second_at_each_request_and_only_there(start, action, key, story_key):
    site = start(list_order="unstable")
    old, *tied, new = back_date(site, story_key, "08:00:00", "08:30:00.1", "08:30:00.9", "09:00:00")
    orders = [read_ids(site, action, key) for _ in range(12)]
    assert {(ids[0], ids[-1]) for ids in orders} == {(new, old)}
    assert all(sorted(ids[1:-1]) == sorted(tied) for ids in orders)
    assert all(ids != after for ids, after in pairwise(orders))


def test_one_unstable_list_does_not_depend_on_requests_for_another(start):
    site = start(list_order="unstable")
    for _ in range(2):
        site.visit()
    orders = []
    for _ in range(12):
        orders.append(read_ids(site, "v1-leads", "leads"))
        read_ids(site, "v1-conversations", "conversations")
    assert all(ids != after for ids, after in pairwise(orders))


@LISTS
def test_an_item_is_listed_and_counted_once_the_lag_is_over(start, clock, action, key, story_key):
    site = start(list_lag=5)
    made = site.visit(messages=["Hello"])[story_key]
    clock.advance(4.9)
    analytics = site.call("GET", "v1-analytics").json()
    assert (read_ids(site, action, key), analytics[key]["total"], analytics["messages_this_month"]) == ([], 0, 0)
    clock.advance(0.1)
    analytics = site.call("GET", "v1-analytics").json()
    assert (read_ids(site, action, key), analytics[key]["total"], analytics["messages_this_month"]) == ([made], 1, 2)


@LISTS
def test_a_back_dated_item_is_listed_as_late_as_any_other(start, clock, action, key, story_key):
    site = start(list_lag=5)
    made = site.visit(created_at="2026-03-24T10:00:00Z")[story_key]
    assert read_ids(site, action, key) == []
    clock.advance(5)
    assert read_ids(site, action, key) == [made]


def test_a_conversation_that_is_not_listed_yet_takes_messages(start):
    site = start(list_lag=5)
    conversation_id = site.visit()["conversation_id"]
    body = {"conversation_id": conversation_id, "content": "Hi"}
    assert site.call("POST", "v1-message", body).status_code == 201
