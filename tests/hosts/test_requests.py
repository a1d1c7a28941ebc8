"""The requests that are derived from actions are those that the actions send."""

import html
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import BaseModel

from connector.declare import Action, ActionContext, connector_of
from connector.hosts.requests import Given, Login, Part, Request, derive, login_of
from connector.sandbox.server import running


@pytest.fixture
def sandbox():
    with running() as served:
        yield served


SINGLE = (
    *("list_agents", "create_agent", "get_agent", "update_agent", "delete_agent", "list_conversations"),
    *("list_leads", "get_analytics", "inject_message"),
)


def test_what_cannot_be_said_as_one_request_is_not(built_in):
    found = {name: derive(built_in, made, connector_of(name)) for name, made in built_in.actions.items()}
    derived = [name for name, request in found.items() if request is not None]
    assert derived == [*(f"chatforge.{name}" for name in SINGLE), "hubspot.list_contacts"]


def test_request_says_where_each_input_goes(built_in):
    assert derive(built_in, built_in.action("chatforge.inject_message"), "chatforge") == Request(
        "POST",
        "",
        {"action": "v1-message", "agent_id": Given("agent_id")},
        {"conversation_id": Given("conversation_id"), "content": Given("content")},
    )


class Choice(BaseModel):
    text: str
    mode: str | None = None
    flag: bool = False


async def send_elsewhere(input: Choice, context: ActionContext[Any]) -> Choice:
    """Without a mode."""
    await context.http.post("", params={"action": "a" if input.mode else "b"}, json=input.model_dump(mode="json"))
    return input


async def send_a_number(input: Choice, context: ActionContext[Any]) -> Choice:
    await context.http.post("", json={**input.model_dump(), "flag": int(input.flag)})
    return input


async def send_the_time(input: Choice, context: ActionContext[Any]) -> Choice:
    await context.http.post("", json={**input.model_dump(), "at": context.now.isoformat()})
    return input


async def send_to_its_path(input: Choice, context: ActionContext[Any]) -> Choice:
    await context.http.post(f"/{quote(input.text)}", json=input.model_dump())
    return input


async def send_as_html(input: Choice, context: ActionContext[Any]) -> Choice:
    await context.http.post("", json={**input.model_dump(), "text": html.escape(input.text)})
    return input


async def send_as_given(input: Choice, context: ActionContext[Any]) -> Choice:
    await context.http.post("", json=input.model_dump())
    return input


@pytest.mark.parametrize(
    ("run", "is_one"),
    [
        (send_elsewhere, False),
        (send_a_number, False),
        (send_the_time, False),
        (send_to_its_path, False),
        (send_as_html, False),
        (send_as_given, True),
    ],
)
def test_request_is_derived_where_it_has_the_input_as_it_is_given(built_in, run, is_one):
    made = Action("chatforge.choose", "", "", "once", "action", Choice, Choice, {}, run)
    assert (derive(built_in, made, "chatforge") is not None) is is_one


def test_login_says_where_each_secret_goes(built_in):
    found = {name: login_of(declared) for name, declared in built_in.connections.items()}
    assert {name for name, login in found.items() if login} == {"chatforge", "hubspot"}
    assert found["hubspot"] == Login(
        "https://api.hubapi.com", "address", ("token",), {"Authorization": "Bearer {token}"}
    )


def fill(part: Part, given: dict[str, object]) -> object:
    if isinstance(part, Given):
        return given[part.name]
    return {name: fill(inner, given) for name, inner in part.items()} if isinstance(part, dict) else part


@pytest.mark.parametrize("name", SINGLE)
def test_sandbox_answers_a_derived_request(built_in, sandbox, name):
    action = built_in.action(f"chatforge.{name}")
    request = derive(built_in, action, "chatforge")
    story = httpx.post(f"{sandbox.control_url}/visitors", json={"visitor_email": "ann@example.com"}).json()
    known = {**story, "agent_id": sandbox.agent_id}
    given = {**action.example, **{one: value for one, value in known.items() if one in action.example}}
    fields = dict.fromkeys(action.input.model_fields) | given
    body = fill(request.body, fields)
    answer = httpx.request(
        request.method,
        sandbox.url + request.path,
        params={one: str(fill(part, fields)) for one, part in request.query.items()},
        content=None if body is None else json.dumps({one: value for one, value in body.items() if value is not None}),
        headers={"Authorization": f"Bearer {sandbox.api_key}", "Content-Type": "application/json"},
    )
    assert answer.status_code in (200, 201), answer.text
