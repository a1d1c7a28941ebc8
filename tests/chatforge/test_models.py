from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from connector.chatforge.inputs import CreateAgent, FindConversation, InjectMessage, ListConversations, UpdateAgent
from connector.chatforge.models import (
    Agent,
    Conversation,
    Lead,
    ListedAgents,
    Message,
    OneAgent,
)


def test_short_agent_of_create_has_the_rest_missing() -> None:
    agent = OneAgent.model_validate({"agent": {"id": "uuid", "name": "Sales Agent", "active": True}}).agent
    assert (agent.active, agent.system_prompt, agent.created_at) == (True, None, None)


def test_bare_agent_is_wrapped() -> None:
    assert OneAgent.model_validate({"id": "uuid", "name": "Sales Agent"}).agent.name == "Sales Agent"


@pytest.mark.parametrize("model", [Agent, Conversation, Lead, Message])
def test_resource_needs_only_its_id_and_keeps_unknown_fields(model: type[BaseModel]) -> None:
    given = {"id": "uuid", "tags": ["a", {"b": None}], "visitor\u2028": 1}
    resource = model.model_validate(given)
    assert resource.model_dump(exclude_unset=True) == given
    assert set(resource.model_dump(exclude=set(given)).values()) == {None}


@pytest.mark.parametrize(
    ("model", "given", "place"),
    [
        pytest.param(Agent, {}, ("id",), id="no-id"),
        pytest.param(Agent, {"id": 5}, ("id",), id="id-number"),
        pytest.param(Agent, {"id": " "}, ("id",), id="id-blank"),
        pytest.param(Agent, {"id": "a", "active": 1}, ("active",), id="bool-as-number"),
        pytest.param(Agent, {"id": "a", "active": "true"}, ("active",), id="bool-as-text"),
        pytest.param(Conversation, {"id": "a", "message_count": "8"}, ("message_count",), id="int-as-text"),
        pytest.param(Conversation, {"id": "a", "message_count": True}, ("message_count",), id="int-as-bool"),
        pytest.param(Lead, {"id": "a", "visitor_phone": 4805551234}, ("visitor_phone",), id="text-as-number"),
        pytest.param(Lead, {"id": "a", "created_at": 1774434720}, ("created_at",), id="time-as-number"),
        pytest.param(Lead, {"id": "a", "created_at": "soon"}, ("created_at",), id="time-as-words"),
        pytest.param(
            Lead, {"id": "a", "created_at": "0001-01-01T00:00:00+14:00"}, ("created_at",), id="time-before-year-1"
        ),
        pytest.param(ListedAgents, {}, ("agents",), id="no-list"),
        pytest.param(ListedAgents, {"agents": {}}, ("agents",), id="list-as-object"),
        pytest.param(OneAgent, {"name": "x"}, ("agent", "id"), id="bare-without-id"),
    ],
)
def test_wrong_type_is_an_error_at_its_field(
    model: type[BaseModel], given: dict[str, Any], place: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    assert [error["loc"] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-25T14:32:00Z", datetime(2026, 3, 25, 14, 32, tzinfo=UTC)),
        ("2026-03-25T16:32:00.123456+02:00", datetime(2026, 3, 25, 14, 32, 0, 123456, tzinfo=UTC)),
        ("2026-03-25 14:32:00+00", datetime(2026, 3, 25, 14, 32, tzinfo=UTC)),
        ("2026-03-25T14:32:00", datetime(2026, 3, 25, 14, 32, tzinfo=UTC)),
    ],
)
def test_time_is_read_as_utc(text: str, moment: datetime) -> None:
    created = Lead.model_validate({"id": "a", "created_at": text}).created_at
    assert created is not None
    assert (created, created.tzinfo) == (moment, UTC)


def test_lone_surrogates_and_nul_survive() -> None:
    given = {"agent_id": "a\ud800", "conversation_id": "\udfff", "content": "Hi \ud83d\x00"}
    assert InjectMessage.model_validate(given).model_dump(mode="json") == given
    lead = {"id": "\ud800", "visitor_name": "\udc00", "extra": "\ud800"}
    assert Lead.model_validate(lead).model_dump(mode="json", exclude_unset=True) == lead


@pytest.mark.parametrize(
    ("model", "given", "place"),
    [
        pytest.param(ListConversations, {"agent_id": "a", "limits": 5}, "limits", id="unknown-field"),
        pytest.param(ListConversations, {"agent_id": ""}, "agent_id", id="empty-id"),
        pytest.param(ListConversations, {"agent_id": "a", "limit": 0}, "limit", id="limit"),
        pytest.param(ListConversations, {"agent_id": "a", "offset": -1}, "offset", id="offset"),
        pytest.param(FindConversation, {"agent_id": "a", "max_pages": 0}, "max_pages", id="max_pages"),
        pytest.param(FindConversation, {"agent_id": "a", "wait_up_to": "30"}, "wait_up_to", id="duration"),
        pytest.param(
            InjectMessage, {"agent_id": "a", "conversation_id": "b", "content": " \n"}, "content", id="blank-content"
        ),
    ],
)
def test_unfit_input_is_an_error_at_its_field(model: type[BaseModel], given: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    assert [error["loc"] for error in caught.value.errors()] == [(place,)]


@pytest.mark.parametrize("model", [CreateAgent, UpdateAgent, ListConversations, FindConversation, InjectMessage])
def test_every_input_describes_itself(model: type[BaseModel]) -> None:
    properties = model.model_json_schema()["properties"]
    assert [name for name, field in properties.items() if not field.get("description")] == []


def test_formats_of_times_and_durations_reach_the_flow_checker() -> None:
    properties = FindConversation.model_json_schema()["properties"]
    assert properties["captured_at"]["anyOf"][0]["format"] == "date-time"
    assert properties["wait_up_to"]["format"] == "flow-duration"
