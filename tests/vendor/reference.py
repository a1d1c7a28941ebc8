"""The vendor's reference, read from our copy of it: endpoints, bodies, webhook, error codes, and a row for each."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

TEXT = Path(__file__).with_name("chatforge-api-v1.txt").read_text("utf-8")

Kind = Literal["access", "endpoint", "parameter", "request", "response", "webhook", "signature", "error"]


@dataclass(frozen=True)
class Endpoint:
    """One endpoint as the reference shows it; a body that it does not show is None."""

    title: str
    method: str
    action: str
    parameters: tuple[str, ...]
    request: dict[str, Any] | None
    response: dict[str, Any] | None

    @property
    def operation(self) -> str:
        """The name of our action: the title without what stands in parentheses."""
        return "chatforge." + re.sub(r" \(.*", "", self.title).lower().replace(" ", "_")


@dataclass(frozen=True)
class Row:
    """One thing that the reference says. `endpoint` is None for what concerns all of them."""

    kind: Kind
    name: str
    endpoint: Endpoint | None = None

    @property
    def id(self) -> str:
        """How the row's test is called."""
        place = self.endpoint.title.partition(" (")[0] if self.endpoint else ""
        return "-".join(part.replace(" ", "-") for part in (place.lower(), self.kind, self.name) if part)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths of the fields of a body, as `agents[].name`, and their values."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}[]")
    else:
        yield path, value


def _section(start: str, end: str) -> str:
    return TEXT.split(f"\n{start}\n", 1)[1].split(f"\n{end}\n", 1)[0]


def _bodies(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(the comment above it, the JSON object) of each block."""
    for match in re.finditer(r"^(?:// ([^\n]*)\n)?(\{\n.*?^\})", text, re.MULTILINE | re.DOTALL):
        yield match[1] or "Response", json.loads(match[2])


def _endpoints() -> Iterator[Endpoint]:
    heading = r"^(.+)\n\n(GET|POST|PUT|DELETE) \?action=([a-z0-9-]+)(&agent_id=UUID)?\n"
    parts = re.split(heading, _section("Endpoints", "Webhooks"), flags=re.MULTILINE)[1:]
    for title, method, action, agent, text in zip(*[iter(parts)] * 5, strict=True):
        paged = re.search(r"Supports \?(\S+) pagination", text)
        names = re.findall(r"(\w+)=", paged[1]) if paged else []
        bodies = dict(_bodies(text))
        parameters = (*(["agent_id"] if agent else []), *names)
        yield Endpoint(title, method, action, parameters, bodies.get("Request body"), bodies.get("Response"))


ENDPOINTS = tuple(_endpoints())
[(_, WEBHOOK)] = _bodies(_section("Webhook Payload", "Signature Verification"))
SIGNATURE_HEADER = re.search(r"includes an (\S+) header", TEXT)[1]  # type: ignore[index]
ERRORS = {int(code): text for code, text in re.findall(r"^(\d{3}) — (.+)$", TEXT, re.MULTILINE)}
BASE_URL = re.search(r"^(https://\S+)\?action=", TEXT, re.MULTILINE)[1]  # type: ignore[index]
RATE_LIMIT = int(re.search(r"Rate limit: (\d+) requests per minute", TEXT)[1])  # type: ignore[index]
# "Get full agent details including system prompt and knowledge base": its body is not shown.
FULL_AGENT = ("agent.system_prompt", "agent.knowledge_base")


def _rows() -> Iterator[Row]:
    yield Row("access", "base URL")
    yield Row("access", "Authorization: Bearer")
    yield Row("access", f"{RATE_LIMIT} requests per minute")
    for endpoint in ENDPOINTS:
        yield Row("endpoint", f"{endpoint.method} {endpoint.action}", endpoint)
        for name in endpoint.parameters:
            yield Row("parameter", name, endpoint)
        for path, _ in leaves(endpoint.request or {}):
            yield Row("request", path, endpoint)
        for path, _ in leaves(endpoint.response or {}):
            yield Row("response", path, endpoint)
        if endpoint.title == "Get Agent":
            for path in FULL_AGENT:
                yield Row("response", path, endpoint)
    for path, _ in leaves(WEBHOOK):
        yield Row("webhook", path)
    for name in (SIGNATURE_HEADER, "HMAC-SHA256, hex", "JSON.stringify"):
        yield Row("signature", name)
    for code in ERRORS:
        yield Row("error", str(code))


ROWS = tuple(_rows())
