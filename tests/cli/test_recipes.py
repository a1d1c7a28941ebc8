"""The recipes of docs/flows/recipes, each run against a double of its service."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
import yaml
from loopback import Reply, Request, serving
from plugins import hubspot_double

from connector.sandbox.server import running

RECIPES = Path(__file__).parents[2] / "docs" / "flows" / "recipes"
EMAIL, NAME, SUMMARY = "john@example.com", "John Smith", "Asked about estate planning services"
SECRETS = {
    "SALESFORCE_SECRET": "s", "PIPEDRIVE_TOKEN": "pipe", "ODOO_KEY": "odoo", "ATTIO_TOKEN": "attio",
    "HUBSPOT_TOKEN": "pat-na1-canary",
}  # fmt: skip

Run = Callable[[str, str, str], None]


@pytest.fixture
def run(chatforge, tmp_path) -> Run:
    """run(recipe, connection, address of the double): once, for the sample lead."""

    def work(name: str, connection: str, url: str) -> None:
        connections = yaml.safe_load((RECIPES / "connections.yaml").read_text())
        mine = connections[connection] | {"address": url}
        if mine["connector"] == "http":
            mine["networks"] = ["127.0.0.0/8"]
        if mine.get("auth", {}).get("type") == "oauth2":
            mine["auth"]["token_url"] = f"{url}/token"
        (tmp_path / "connections.yaml").write_text(yaml.safe_dump({connection: mine}))
        shutil.copy(RECIPES / f"{name}.yaml", tmp_path)
        result = chatforge("run", f"{name}.yaml", CHATFORGE_API_KEY="unused", **SECRETS)
        assert result.code == 0, result.out + result.error

    return work


@pytest.mark.parametrize(("known", "company"), [(200, None), (404, "unknown")])
def test_salesforce_lead_is_upserted_by_its_external_id(run, known, company):
    def answer(request: Request) -> Reply:
        if request.method == "GET":
            return Reply({}, known)
        if request.path == "/token":
            return Reply({"access_token": "access", "instance_url": "https://example.my.salesforce.com"})
        return Reply({"id": "00Q1", "success": True, "created": True, "errors": []}, 201)

    with serving(answer) as served:
        run("lead-to-salesforce", "salesforce", served.url)
    assert (served.last.method, unquote(served.last.path)) == ("PATCH", f"/sobjects/Lead/Email_Key__c/{EMAIL}")
    assert served.last.headers["authorization"] == "Bearer access"
    assert (served.last.json["LastName"], served.last.json["LeadSource"]) == (NAME, "Chat")
    assert served.last.json.get("Company") == company


@pytest.mark.parametrize(("known", "last"), [([], ("POST", "/persons")), ([7], ("PATCH", "/persons/7"))])
def test_pipedrive_person_is_searched_then_created_or_updated(run, known, last):
    def answer(request: Request) -> Reply:
        if request.method == "GET":
            return Reply({"success": True, "data": {"items": [{"item": {"id": one, "name": "x"}} for one in known]}})
        return Reply({"success": True, "data": {"id": 8}}, 201 if request.method == "POST" else 200)

    with serving(answer) as served:
        run("lead-to-pipedrive", "pipedrive", served.url)
    assert served.requests[0].query == {"term": EMAIL, "fields": "email", "exact_match": "true", "limit": "1"}
    assert (served.last.method, served.last.path) == last
    assert served.last.json["name"] == NAME
    assert {request.headers["x-api-token"] for request in served.requests} == {"pipe"}


@pytest.mark.parametrize("known", [[], [{"id": 3}]])
def test_odoo_gets_an_opportunity_and_a_contact_where_there_is_none(run, known):
    with serving(lambda request: Reply(known if request.path.endswith("search_read") else [4])) as served:
        run("lead-to-odoo", "odoo", served.url)
    created = [request.path for request in served.requests[1:]]
    assert created == ([] if known else ["/res.partner/create"]) + ["/crm.lead/create"]
    assert served.requests[0].json["domain"] == [["email", "=", EMAIL]]
    assert served.last.json["vals_list"][0]["description"] == SUMMARY
    assert served.last.headers["x-odoo-database"] == "example"


def test_attio_person_is_asserted(run):
    with serving(lambda _request: Reply({"data": {"id": {"record_id": "rec"}}})) as served:
        run("lead-to-attio", "attio", served.url)
    assert (served.last.method, served.last.target) == (
        "PUT", "/objects/people/records?matching_attribute=email_addresses",
    )  # fmt: skip
    assert served.last.json["data"]["values"]["email_addresses"] == [EMAIL]


def test_sheet_gets_a_row_though_it_redirects_to_its_answer(run):
    with serving(lambda _request: Reply({}, 302, {"Location": "https://script.example.com/answer"})) as served:
        run("lead-to-sheet", "sheet", served.url)
    assert [request.path for request in served.requests] == ["/exec"]
    assert (served.last.json["email"], served.last.json["page"]) == (EMAIL, "https://example.com/services")


def test_hubspot_gets_a_contact_with_note_and_deal_once(run):
    with hubspot_double.running("pat-na1-canary") as (served, hubspot):
        for _ in range(2):
            run("lead-to-hubspot", "hubspot", served.url)
    assert [contact["email"] for contact in hubspot.objects["contacts"].values()] == [EMAIL]
    assert [deal["dealname"] for deal in hubspot.objects["deals"].values()] == [f"Chat with {NAME}"]
    assert [note["hs_note_body"] for note in hubspot.objects["notes"].values()] == [SUMMARY] * 2


@pytest.mark.parametrize(
    ("moment", "page", "message", "notes"),
    [
        ("2026-03-25T10:30:00Z", "https://example.com/pricing?a=1", "this is Cal from sales", []),
        ("2026-03-25T10:30:00Z", "https://example.com/services", "this is Cal jumping in", []),
        ("2026-03-25T20:30:00Z", "https://example.com/x", None, ["Came by chat outside office hours, on /x"]),
    ],
    ids=["pricing", "another page", "in the evening"],
)
def test_visitor_is_joined_by_page_in_office_hours_only(scene, tmp_path, moment, page, message, notes):
    story = scene.visit(EMAIL, webhook=False, created_at=moment)
    shutil.copy(RECIPES / "office-hours.yaml", tmp_path)
    told = {"agent_id": scene.sandbox.agent_id, "captured_at": moment, "page_url": page, "visitor_email": EMAIL}
    arguments = [part for name, value in told.items() for part in ("--set", f"{name}={value}")]
    with hubspot_double.running("pat-na1-canary") as (served, hubspot):
        (tmp_path / "connections.yaml").write_text(
            f"hubspot: {{connector: hubspot, token: {{env: HUBSPOT_TOKEN}}, address: '{served.url}'}}\n"
        )
        result = scene("run", "office-hours.yaml", *arguments, **SECRETS)
    assert result.code == 0, result.out + result.error
    chat = httpx.get(f"{scene.sandbox.control_url}/conversations/{story['conversation_id']}").json()
    said = [one["content"] for one in chat["messages"] if one["injected"]]
    assert [message in one for one in said] == ([True] if message else [])
    assert [note["hs_note_body"] for note in hubspot.objects["notes"].values()] == notes


def test_leads_of_last_month_go_to_the_crm_and_nobody_is_greeted(scene, tmp_path):
    stories = scene.fill(3)  # of 1 March
    scene.visit("old@example.com", webhook=False, created_at="2026-01-31T10:00:00Z")
    shutil.copy(RECIPES / "office-hours.yaml", tmp_path)
    with hubspot_double.running("pat-na1-canary") as (served, hubspot):
        (tmp_path / "connections.yaml").write_text(
            f"hubspot: {{connector: hubspot, token: {{env: HUBSPOT_TOKEN}}, address: '{served.url}'}}\n"
        )
        for _ in range(2):
            result = scene("backfill", "office-hours.yaml", "--since", "2026-02-01", **SECRETS)
            assert result.code == 0, result.out + result.error
    emails = [contact["email"] for contact in hubspot.objects["contacts"].values()]
    assert sorted(emails) == [f"visitor{number}@example.com" for number in range(3)]
    assert not hubspot.objects["notes"]
    assert not [text for story in stories for text in scene.messages(story["conversation_id"])]


def test_leads_of_two_accounts_go_to_their_own_crms(chatforge, tmp_path):
    with hubspot_double.running("pat-na1-canary") as (hub, hubspot), running() as north, running() as south:
        connections = yaml.safe_load((RECIPES / "connections.yaml").read_text())
        changes = {"north": {"base_url": north.url}, "south": {"base_url": south.url}, "hubspot": {"address": hub.url}}
        mine = {name: connections[name] | change for name, change in changes.items()}
        (tmp_path / "connections.yaml").write_text(yaml.safe_dump(mine))
        keys = {"NORTH_KEY": north.api_key, "NORTH_SECRET": "n", "SOUTH_KEY": south.api_key, "SOUTH_SECRET": "s"}
        for name, account in (("north", north), ("south", south)):
            httpx.post(
                f"{account.control_url}/visitors", json={"visitor_email": f"{name}@example.com"}
            ).raise_for_status()
            shutil.copy(RECIPES / f"leads-of-{name}.yaml", tmp_path)
            result = chatforge("backfill", f"leads-of-{name}.yaml", **keys, **SECRETS)
            assert result.code == 0, result.out + result.error
        known = chatforge("call", "contacts.list", **keys)
    assert [one["email"] for one in hubspot.objects["contacts"].values()] == ["north@example.com"]
    assert [one["email"] for one in json.loads(known.out)["contacts"]] == ["south@example.com"]
