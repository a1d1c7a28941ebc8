"""A small HubSpot: contacts by e-mail, notes and deals, with the errors and limits of its published reference."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from loopback import Reply, Request, Served, serving

_OBJECTS = "/crm/objects/2026-03"


def failure(status: int, category: str, message: str, **more: Any) -> Reply:
    body = {"status": "error", "message": message, "correlationId": "c0ffee", "category": category, **more}
    return Reply(body, status)


@dataclass
class HubSpot:
    token: str
    objects: dict[str, dict[str, dict[str, Any]]] = field(
        default_factory=lambda: {"contacts": {}, "notes": {}, "deals": {}}
    )
    """kind → id → properties"""
    links: dict[str, Any] = field(default_factory=dict)
    """By the id of a note or a deal, what it was associated with."""
    replies: list[Reply] = field(default_factory=list)
    """What is answered to the next requests in its stead."""

    def __call__(self, request: Request) -> Reply:
        if self.replies:
            return self.replies.pop(0)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return failure(401, "INVALID_AUTHENTICATION", "Authentication credentials not found")
        path = request.path.removeprefix(_OBJECTS).strip("/").split("/")
        if not request.path.startswith(_OBJECTS) or path[0] not in self.objects:
            return failure(404, "OBJECT_NOT_FOUND", "resource not found")
        if request.method == "GET":
            return self._list(request) if len(path) == 1 else self._get(unquote(path[1]))
        return self._upsert(request.json) if path[1:] == ["batch", "upsert"] else self._create(path[0], request.json)

    def find(self, email: str) -> str | None:
        """The id of the contact."""
        known = self.objects["contacts"].items()
        return next((key for key, one in known if one["email"].lower() == email.lower()), None)

    def _get(self, email: str) -> Reply:
        if (found := self.find(email)) is None:
            return failure(404, "OBJECT_NOT_FOUND", "resource not found")
        return Reply(self._show("contacts", found))

    def _list(self, request: Request) -> Reply:
        ids = [*self.objects["contacts"]]
        start, limit = int(request.query.get("after", 0)), int(request.query["limit"])
        more = {"paging": {"next": {"after": str(start + limit)}}} if start + limit < len(ids) else {}
        return Reply({"results": [self._show("contacts", one) for one in ids[start : start + limit]], **more})

    def _show(self, kind: str, key: str) -> dict[str, Any]:
        times = dict.fromkeys(("createdAt", "updatedAt"), "2026-03-25T14:32:00.000Z")
        return {"id": key, "properties": self.objects[kind][key], "archived": False, **times}

    def _upsert(self, body: Any) -> Reply:
        results, errors = [], []
        for entry in body["inputs"]:
            if "@" not in entry["id"]:
                message = f"Email address {entry['id']} is invalid"
                errors.append(
                    {"status": "error", "category": "VALIDATION_ERROR", "message": "Property values were not valid",
                     "errors": [{"message": message, "in": "email", "code": "INVALID_EMAIL"}]}
                )  # fmt: skip
                continue
            known = self.find(entry["id"])
            key = known or self._next()
            self.objects["contacts"].setdefault(key, {}).update(entry["properties"])
            results.append({**self._show("contacts", key), "new": known is None})
        status = 207 if errors else 200
        return Reply({"status": "COMPLETE", "results": results, "numErrors": len(errors), "errors": errors}, status)

    def _create(self, kind: str, body: Any) -> Reply:
        for link in body["associations"]:
            if link["to"]["id"] not in self.objects["contacts"]:
                return failure(404, "OBJECT_NOT_FOUND", f"no contact {link['to']['id']}")
        if kind == "deals" and body["properties"]["dealstage"] == "nowhere":
            return failure(
                400, "VALIDATION_ERROR", "Property values were not valid",
                errors=[{"message": "nowhere was not one of the allowed options", "in": "dealstage"}],
            )  # fmt: skip
        key = self._next()
        self.objects[kind][key], self.links[key] = body["properties"], body["associations"]
        return Reply({**self._show(kind, key)}, 201)

    def _next(self) -> str:
        return str(101 + sum(len(one) for one in self.objects.values()))


@contextmanager
def running(token: str, contacts: int = 0) -> Iterator[tuple[Served, HubSpot]]:
    hubspot = HubSpot(token)
    for number in range(contacts):
        hubspot.objects["contacts"][str(number + 1)] = {"email": f"visitor{number}@example.com"}
    with serving(hubspot) as served:
        yield served, hubspot


def rate_limited(policy: str, **headers: str) -> Reply:
    body = {"status": "error", "message": f"You have reached your {policy.lower()} limit.", "errorType": "RATE_LIMIT"}
    return Reply(json.dumps({**body, "policyName": policy}).encode(), 429, headers)
