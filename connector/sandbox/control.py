"""The control endpoints under `/sandbox`: a visitor's story, faults to order, and what has happened.

They are no part of ChatForge, take no key, and answer with JSON. Errors are `{"error": …}` with 400 or 404.
"""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.sandbox.answers import answer
from connector.sandbox.delivery import Delivery, Webhook
from connector.sandbox.faults import parse_fault
from connector.sandbox.fields import Fields
from connector.sandbox.live_settings import change_settings, show_settings
from connector.sandbox.records import Conversation, Effect, Visitor
from connector.sandbox.refusals import bad_request
from connector.sandbox.sandbox import Sandbox
from connector.sandbox.settings import DAY, is_duration
from connector.sandbox.shapes import conversation_item, message_item, render_time

VISITOR_FIELDS = (
    "agent_id",
    "visitor_name",
    "visitor_email",
    "visitor_phone",
    "page_url",
    "conversation_summary",
    "messages",
    "capture_lead",
    "created_at",
    "webhook",
)


class Controls:
    """One method per endpoint."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """All endpoints, relative to `/sandbox`."""
        return [
            Route("/health", self.show_health),
            Route("/settings", self.show_settings),
            Route("/settings", self.change_settings, methods=["PATCH"]),
            Route("/visitors", self.receive_visitor, methods=["POST"]),
            Route("/conversations/{conversation_id}", self.show_conversation),
            Route("/conversations/{conversation_id}/close", self.close_conversation, methods=["POST"]),
            Route("/webhooks", self.add_webhook, methods=["POST"]),
            Route("/webhooks", self.remove_webhooks, methods=["DELETE"]),
            Route("/deliveries", self.list_deliveries),
            Route("/deliveries/{delivery_id}/redeliver", self.redeliver, methods=["POST"]),
            Route("/effects", self.list_effects),
            Route("/counters", self.show_counters),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults", self.list_faults),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def show_health(self, _request: Request) -> Response:
        """GET /health → {status, agent_id}."""
        return answer({"status": "ok", "agent_id": self._sandbox.agent_id})

    async def show_settings(self, _request: Request) -> Response:
        """GET /settings → the settings without keys and secret."""
        return answer(show_settings(self._sandbox.settings))

    async def change_settings(self, request: Request) -> Response:
        """PATCH /settings {list_order?, …} → the settings, which hold from the next request on."""
        self._sandbox.settings = change_settings(self._sandbox.settings, Fields(await request.body()))
        return answer(show_settings(self._sandbox.settings))

    async def receive_visitor(self, request: Request) -> Response:
        """POST /visitors {agent_id?, visitor_name?, …, messages?: [text], capture_lead? = true, created_at?, webhook?}.

        `agent_id` decides the account. `created_at` back-dates the chat and the lead. `webhook: false` loses it.
        → {agent_id, conversation_id, lead_id, delivery_id}. The last two are null without a lead;
        `delivery_id` is null too where no webhook is sent, and the first one's where several are.
        """
        fields = Fields(await request.body())
        fields.only(*VISITOR_FIELDS)
        agent_id = fields.text("agent_id") or self._sandbox.agent_id
        conversation_id, lead, deliveries = self._sandbox.receive_visitor(
            agent_id,
            _read_visitor(fields),
            fields.texts("messages"),
            capture_lead=fields.flag("capture_lead") is not False,
            created_at=fields.time("created_at"),
            webhook=fields.flag("webhook") is not False,
        )
        story = {
            "agent_id": agent_id,
            "conversation_id": conversation_id,
            "lead_id": lead.id if lead else None,
            "delivery_id": deliveries[0].id if deliveries else None,
        }
        return answer(story, 201)

    async def show_conversation(self, request: Request) -> Response:
        """GET /conversations/{id} → the chat as its visitor sees it."""
        _, conversation = self._sandbox.find_conversation(request.path_params["conversation_id"])
        return answer(_show_conversation(conversation))

    async def close_conversation(self, request: Request) -> Response:
        """POST /conversations/{id}/close → the chat, no longer active."""
        conversation = self._sandbox.close_conversation(request.path_params["conversation_id"])
        return answer(_show_conversation(conversation))

    async def add_webhook(self, request: Request) -> Response:
        """POST /webhooks {url, secret?, agent_id?} → {urls}. The account's events go to all of them.

        `agent_id` decides the account.
        """
        fields = Fields(await request.body())
        fields.only("url", "secret", "agent_id")
        agent_id = fields.text("agent_id")
        account = self._sandbox.account if agent_id is None else self._sandbox.find_account(agent_id)
        secret = fields.text("secret") or self._sandbox.webhook_secret
        account.add_webhook(Webhook(fields.required_text("url"), secret))
        return answer({"urls": [webhook.url for webhook in account.webhooks]}, 201)

    async def remove_webhooks(self, _request: Request) -> Response:
        """DELETE /webhooks → {urls: []}, for both accounts."""
        self._sandbox.account.webhooks = self._sandbox.other_account.webhooks = ()
        return answer({"urls": []})

    async def list_deliveries(self, request: Request) -> Response:
        """GET /deliveries[?settle_seconds=5] → {deliveries}, after waiting at most so long for pending ones."""
        await self._sandbox.courier.settle(_read_seconds(request, "settle_seconds"))
        deliveries = self._sandbox.courier.deliveries.values()
        return answer({"deliveries": [_show_delivery(delivery) for delivery in deliveries]})

    async def redeliver(self, request: Request) -> Response:
        """POST /deliveries/{id}/redeliver → the delivery, pending again."""
        delivery = self._sandbox.courier.redeliver(request.path_params["delivery_id"])
        return answer(_show_delivery(delivery), 202)

    async def list_effects(self, _request: Request) -> Response:
        """GET /effects → {effects: [{sequence, at, action, method, agent_id, body}]}, oldest first."""
        return answer({"effects": [_show_effect(effect) for effect in self._sandbox.effects.entries]})

    async def show_counters(self, _request: Request) -> Response:
        """GET /counters → {actions: {action: {status: n}}, statuses: {status: n}}."""
        counters = self._sandbox.counters
        return answer({"actions": counters.by_action(), "statuses": counters.by_status()})

    async def add_fault(self, request: Request) -> Response:
        """POST /faults: one `Fault` → {faults}, all that wait."""
        self._sandbox.faults.add(parse_fault(Fields(await request.body())))
        return answer(self._show_faults(), 201)

    async def list_faults(self, _request: Request) -> Response:
        """GET /faults → {faults}."""
        return answer(self._show_faults())

    async def clear_faults(self, _request: Request) -> Response:
        """DELETE /faults → {faults: []}."""
        self._sandbox.faults.clear()
        return answer(self._show_faults())

    def _show_faults(self) -> dict[str, Any]:
        return {"faults": [asdict(fault) for fault in self._sandbox.faults.waiting]}


def _read_visitor(fields: Fields) -> Visitor:
    return Visitor(
        name=fields.text("visitor_name"),
        email=fields.text("visitor_email"),
        phone=fields.text("visitor_phone"),
        page_url=fields.text("page_url"),
        summary=fields.text("conversation_summary"),
    )


def _read_seconds(request: Request, name: str) -> float:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and is_duration(float(text))):
        raise bad_request(f"{name} is {text!r}; expected a whole number of seconds from 0 to {DAY}")
    return float(text)


def _show_conversation(conversation: Conversation) -> dict[str, Any]:
    return conversation_item(conversation) | {
        "agent_id": conversation.agent_id,
        "active": conversation.active,
        "messages": [message_item(message) | {"injected": message.injected} for message in conversation.messages],
    }


def _show_delivery(delivery: Delivery) -> dict[str, Any]:
    attempts = [
        {"at": render_time(attempt.at, "milliseconds"), "status": attempt.status, "error": attempt.error}
        for attempt in delivery.attempts
    ]
    return {
        "id": delivery.id,
        "event": delivery.event,
        "url": delivery.webhook.url,
        "state": delivery.state,
        "created_at": render_time(delivery.created_at, "milliseconds"),
        "body": delivery.body.decode(),
        "attempts": attempts,
    }


def _show_effect(effect: Effect) -> dict[str, Any]:
    return asdict(effect) | {"at": render_time(effect.at, "milliseconds")}
