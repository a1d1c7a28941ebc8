"""The cassettes of HubSpot: what they are about, and how they are made, against the double of the tests."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from cases import NOW
from plugins.hubspot_double import HubSpot, failure, rate_limited, running
from scrub import REQUEST_HEADERS, RESPONSE_HEADERS

from connector import settings
from connector.adapter import Adapter
from connector.errors import ActionError
from connector.registry import Registry

FOLDER = "hubspot"
ADDRESS = "https://api.hubapi.com"
HEADER = (
    "# Recorded against a double that follows HubSpot's published reference, not against HubSpot; made by "
    "`make cassettes`; see README.md\n"
)
JOHN = {"email": "john@example.com"}
TOKEN = "the-token-of-the-double"

CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "upsert_contact": ("upsert_contact", {**JOHN, "first_name": "John", "last_name": "Smith"}),
    "find_contact": ("find_contact", JOHN),
    "add_note": ("add_note", {"contact_id": "101", "text": "Asked about estate planning."}),
    "create_deal": ("create_deal", {"name": "Estate planning", "stage": "appointmentscheduled", "contact_id": "101"}),
    "list_contacts": ("list_contacts", {"limit": 1}),
    "refused_contact": ("upsert_contact", {"email": "john"}),
    "daily_limit": ("find_contact", JOHN),
    "missing_scope": ("find_contact", JOHN),
}
"""By the name of the file: an action and its input."""
PATHS = {f"{FOLDER}/{name}.yaml" for name in CASES}


def adapter(plugins: Registry, **changes: str) -> Adapter:
    """With the connection `hubspot`, of a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        values = {"connector": "hubspot", "token": {"env": "HUBSPOT_TOKEN"}, **changes}
        (Path(folder) / "connections.yaml").write_text(yaml.safe_dump({"hubspot": values}))
        return Adapter(plugins, settings.load(Path(folder), environ={"HUBSPOT_TOKEN": TOKEN}), lambda: NOW)


async def perform(name: str, adapter: Adapter) -> dict[str, Any] | ActionError:
    """The output of the case, or its error."""
    action, given = CASES[name]
    async with adapter:
        try:
            return await adapter.run(f"hubspot.{action}", given, connection="hubspot")
        except ActionError as error:
            return error


def record_all(out: Path, plugins: Registry, taping: Any) -> None:
    for name in CASES:
        path = out / FOLDER / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record(name, plugins, taping), "utf-8")


def record(name: str, plugins: Registry, taping: Any) -> str:
    """The cassette as text."""
    with running(TOKEN) as (served, hubspot):
        _prepare(name, hubspot)
        with taping() as tape:
            asyncio.run(perform(name, adapter(plugins, address=served.url)))
        interactions = [
            {"request": _request(request, served.url), "response": _response(response)}
            for request, response in zip(tape.requests, tape.responses, strict=True)
        ]
    return HEADER + yaml.safe_dump({"version": 1, "interactions": interactions}, sort_keys=False, width=10_000)


def _prepare(name: str, hubspot: HubSpot) -> None:
    if name not in ("upsert_contact", "refused_contact"):
        hubspot.objects["contacts"]["101"] = {**JOHN, "firstname": "John", "lastname": "Smith"}
        hubspot.objects["contacts"]["102"] = {"email": "ann@example.com"}
    if name == "daily_limit":
        hubspot.replies.append(rate_limited("DAILY"))
    if name == "missing_scope":
        words = "This app hasn't been granted all required scopes to make this call."
        hubspot.replies.append(failure(403, "MISSING_SCOPES", words))


def _request(request: Any, url: str) -> dict[str, Any]:
    return {
        "method": request.method,
        "uri": ADDRESS + request.uri.removeprefix(url),
        "body": request.body.decode() if request.body else None,
        "headers": {one: [request.headers[one]] for one in REQUEST_HEADERS if one in request.headers},
    }


def _response(response: Mapping[str, Any]) -> dict[str, Any]:
    headers = {name.lower(): values for name, values in response["headers"].items()}
    return {
        "status": response["status"],
        "headers": {name: headers[name] for name in RESPONSE_HEADERS if name in headers},
        "body": {"string": response["body"]["string"].decode()},
    }
