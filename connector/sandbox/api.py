"""The API over HTTP: who may ask, how often, and which faults were ordered, before and around an action."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connector.sandbox.account import Account
from connector.sandbox.actions import ACTIONS, Call, Handler
from connector.sandbox.answers import answer, refuse
from connector.sandbox.connections import wait_for_disconnect
from connector.sandbox.counters import CUT
from connector.sandbox.faults import MID_ANSWER, Fault
from connector.sandbox.fields import Fields
from connector.sandbox.refusals import RefusedError, bad_request, not_found
from connector.sandbox.sandbox import Sandbox
from connector.sandbox.settings import RetryAfter


class Api:
    """The ASGI endpoint `/api/dashboard.js`.

    The key is checked first, then the rate, the plan and the faults; what a fault meets has counted as a request.
    An action runs without interruption, so requests that come together cannot see each other half done.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with suppress(ClientDisconnect):  # the request never arrived whole, so it is not one
            raw = await request.body()
            await self._serve(request, raw, send)

    async def _serve(self, request: Request, raw: bytes, send: Send) -> None:
        fault, response = await self._respond(request, raw)
        outcome = CUT if fault.cut or response is None else str(response.status_code)
        self._sandbox.counters.count(_action(request), outcome)
        if response is None:
            await self._sandbox.connections.cut(request.scope["client"], request.receive)
            return
        response.headers.setdefault("date", _render_date(self._sandbox.clock()))
        if fault.cut == MID_ANSWER:
            await self._send_half(request, response, send)
        else:
            await response(request.scope, request.receive, send)

    async def _respond(self, request: Request, raw: bytes) -> tuple[Fault, Response | None]:
        """The fault that the request meets, and the answer, or None where there is to be none."""
        try:
            account = self._admit(request)
        except RefusedError as refusal:
            return Fault(), self._refuse(refusal)
        is_reused = self._sandbox.connections.is_reused(request.scope["client"])
        fault = self._sandbox.faults.take(_action(request), request.method, "reused" if is_reused else "fresh")
        fault = fault or Fault()
        response = self._perform(request, raw, account) if fault.lets_effect_happen else None
        if fault.delay_seconds:
            await _pause(request.receive, fault.delay_seconds)
        return fault, fault.apply(response)

    async def _send_half(self, request: Request, response: Response, send: Send) -> None:
        body = bytes(response.body)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await self._sandbox.connections.finish(request.scope["client"], request.receive)

    def _admit(self, request: Request) -> Account:
        """The account of the request's key."""
        settings = self._sandbox.settings
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or key not in (settings.api_key, settings.small_plan_key, settings.other_api_key):
            raise RefusedError(401, "Invalid or missing API key")
        now = self._sandbox.clock()
        wait = self._sandbox.rate_limit.admit(key, now)
        if wait:
            raise RefusedError(429, "Rate limit exceeded", _retry_after(settings.retry_after, wait, now))
        if key == settings.small_plan_key:
            raise RefusedError(403, "Insufficient plan (Enterprise required)")
        return self._sandbox.other_account if key == settings.other_api_key else self._sandbox.account

    def _perform(self, request: Request, raw: bytes, account: Account) -> Response:
        try:
            handler = _find_handler(request)
            call = Call(account, request.query_params, Fields(raw) if request.method in ("POST", "PUT") else None)
            status, value = handler(self._sandbox, call)
        except RefusedError as refusal:
            return self._refuse(refusal)
        if request.method != "GET":
            self._record(request, call)
            self._sandbox.storage.commit()
        return answer(value, status)

    def _refuse(self, refusal: RefusedError) -> Response:
        return refuse(refusal, self._sandbox.settings.error_style)

    def _record(self, request: Request, call: Call) -> None:
        agent_id = call.query.get("agent_id")
        body = call.fields.values if call.fields else None
        self._sandbox.effects.append(self._sandbox.clock(), _action(request), request.method, agent_id, body)


def _action(request: Request) -> str:
    return request.query_params.get("action", "")


def _find_handler(request: Request) -> Handler:
    action = _action(request)
    if not action:
        raise bad_request("action is required")
    if action not in ACTIONS:
        raise not_found("action", action)
    if request.method not in ACTIONS[action]:
        raise RefusedError(405, f"{action} does not take {request.method}")
    return ACTIONS[action][request.method]


def _retry_after(kind: RetryAfter | None, wait: int, now: datetime) -> dict[str, str]:
    if kind is None:
        return {}
    moment = now + timedelta(seconds=wait, microseconds=999_999)  # the date has whole seconds, and must not be early
    return {"Retry-After": str(wait) if kind == "seconds" else _render_date(moment)}


def _render_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


async def _pause(receive: Receive, seconds: float) -> None:
    with suppress(TimeoutError):  # a client that leaves ends the pause
        await asyncio.wait_for(wait_for_disconnect(receive), seconds)
