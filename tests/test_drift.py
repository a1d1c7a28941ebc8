"""What of an answer its model does not declare, and what of the model did not come."""

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.drift import MOST, OTHERS, Drift, Drifts, find, find_faults


class Owner(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    name: str | None = None
    since: str | None = Field(None, alias="ownerSince")


class Item(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    id: str
    owners: list[Owner] = Field(default_factory=list)
    meta: dict[str, str] = Field(default_factory=dict)


class Part(BaseModel):
    """Reads a part of what comes."""

    id: str
    note: str | None = None
    owner: Owner | None = None


def test_unknown_and_missing_fields_are_found_in_each_entry():
    item = Item.model_validate(
        {"id": "1", "size": {"a": 1}, "owners": [{"name": "Ann", "ownerSince": "x", "vip": True}, {"vip": False}]}
    )
    assert sorted(find(item)) == [
        Drift("missing", "meta"),
        Drift("missing", "owners[].name"),
        Drift("missing", "owners[].ownerSince"),
        Drift("unknown", "owners[].vip"),
        Drift("unknown", "owners[].vip"),
        Drift("unknown", "size"),
    ]


def test_names_that_are_data_are_no_fields():
    assert not [*find(Item.model_validate({"id": "1", "owners": [], "meta": {"anything": "goes"}}))]


def test_model_that_reads_a_part_lets_the_rest_pass_but_not_that_of_its_fields():
    part = Part.model_validate({"id": "1", "more": 2, "owner": {"name": "Ann", "ownerSince": None, "vip": True}})
    assert [*find(part)] == [Drift("unknown", "owner.vip")]


def test_faults_are_retyped_or_missing():
    with pytest.raises(ValidationError) as caught:
        Item.model_validate({"owners": [{}, {"name": 7}]})
    assert sorted(find_faults(caught.value)) == [Drift("missing", "id"), Drift("retyped", "owners[].name")]


def test_path_is_one_line_whatever_the_name():
    unknown = {"id": "1", "owners": [], "meta": {}, "a\nb\u202e": 1, "n" * 900: 1}
    paths = [drift.path for drift in find(Item.model_validate(unknown))]
    assert paths == ["a?b?", "n" * 199 + "…"]


def test_places_beyond_those_that_are_counted_are_one():
    drifts = Drifts()
    for number in range(MOST + 3):
        drifts.count("cards.list", Drift("unknown", f"f{number}"))
    drifts.count("cards.list", Drift("unknown", "f0"))
    drifts.count("cards.list", Drift("unknown", "new"))
    counts = drifts.take()
    assert len(counts) == MOST + 1
    assert counts["cards.list", Drift("unknown", OTHERS)] == 4
    assert counts["cards.list", Drift("unknown", "f0")] == 2


def test_of_very_many_faults_it_is_told_that_there_are_some():
    with pytest.raises(ValidationError) as caught:
        Item.model_validate({"id": "1", "owners": [{"name": 7}] * (MOST + 1)})
    assert [*find_faults(caught.value)] == [Drift("retyped", OTHERS)]
