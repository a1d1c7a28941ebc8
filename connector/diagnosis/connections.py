"""Checks each connection: its values, the way to the other side, its key, its webhook secrets."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from connector.adapter import DEFAULT, Adapter
from connector.chatforge.connection import ChatForgeConnection
from connector.chatforge.probe.answers import count
from connector.declare import ConnectionType, Webhook
from connector.diagnosis.budget import describe_budget, read_budget
from connector.diagnosis.findings import (
    CheckError,
    Finding,
    Findings,
    Say,
    fail,
    fail_with,
    ok,
    skip,
    skip_after_failure,
    skip_all,
    warn,
)
from connector.diagnosis.limits import within
from connector.diagnosis.reach import SOON, check_reach
from connector.errors import AuthenticationError, ConnectorError, InputError, PlanError, RateLimitError, SettingsError
from connector.flows.problems import did_you_mean
from connector.registry import Registry
from connector.settings import Settings

CHATFORGE = "chatforge"
"""The connector whose API has one address."""
KEY_CHECKS = ("key", "rate limit", "plan")  # in the order in which the other side looks
KEY_SECONDS = 10.0
_REFUSALS = ((RateLimitError, "rate limit"), (PlanError, "plan"))


def check_connections(plugins: Registry, settings: Settings, now: datetime, say: Say) -> Findings:
    for connector, name in _list_connections(plugins, settings):
        yield from check_connection(plugins, settings, connector, name, now, say)


def check_connection(
    plugins: Registry, settings: Settings, connector: str, name: str, now: datetime, say: Say
) -> Findings:
    """The stages of one connection, in their order; one whose premise failed is `skip`.

    Opens event loops of its own, so it needs a thread without one.
    """
    findings = _find_stages(Adapter(plugins, settings), settings, connector, name, now, say)
    return _of_connection(f"{connector}/{name}", findings)


def _list_connections(plugins: Registry, settings: Settings) -> list[tuple[str, str]]:
    named = [(entry.connector, name) for name, entry in settings.connections.items()]
    defaults = [
        (connector, DEFAULT)
        for connector, declared in plugins.connections.items()
        if (connector, DEFAULT) not in named and _has_default(declared, settings)
    ]
    return sorted(defaults + named, key=lambda pair: (pair[0], pair[1] != DEFAULT, pair[1]))


def _of_connection(name: str, findings: Findings) -> Findings:
    try:
        for found in findings:
            yield replace(found, connection=name)
    except Exception as error:  # whatever a stranger's plugin raises; its text may hold a secret
        detail = f"its plugin failed while it was looked at, {type(error).__name__}"
        yield replace(fail("values", detail, "report it to the plugin's author"), connection=name)


def _find_stages(adapter: Adapter, settings: Settings, connector: str, name: str, now: datetime, say: Say) -> Findings:
    known = adapter.registry.connections.get(connector)
    if known and name == DEFAULT and (others := _count_replacing(known, settings, connector)):
        yield skip("values", f"not set up; {count(others, 'named connection')} can be used")
        return
    try:
        declared, values = _read_values(adapter, connector, name)
    except CheckError as error:
        yield error.finding
        return
    complete = _check_values(adapter, connector, name)
    yield complete
    if declared.http is not None:
        reached = yield from check_reach(declared, values, say, strict=connector == CHATFORGE)
        lacking = "the values are not complete" if complete.status == "fail" else "nothing usable answers"
        usable = reached and complete.status == "ok"
        if isinstance(values, ChatForgeConnection) and complete.status == "ok":
            state = read_budget(values)
            yield describe_budget(state, now)
            if usable and state.paused_for > KEY_SECONDS:
                usable, lacking = False, "nothing is sent until the pause ends"
        yield from _check_key(adapter, connector, name, say) if usable else skip_all(KEY_CHECKS, lacking)
    elif declared.test is not None and complete.status == "ok":
        yield from _check_key(adapter, connector, name, say)
    if declared.webhook is not None:
        yield check_webhook(declared.webhook, values, now)


def _read_values(adapter: Adapter, connector: str, name: str) -> tuple[ConnectionType, BaseModel]:
    """Raises CheckError."""
    declared = adapter.registry.connections.get(connector)
    if declared is None:
        step = did_you_mean(connector, adapter.registry.connections) or "install the plugin that has it"
        raise CheckError(fail("values", f"there is no connector {connector!r}", step, SettingsError))
    try:
        return declared, adapter.connection(connector, name)
    except ConnectorError as error:
        step = "correct it in connections.yaml or in the environment"
        raise CheckError(fail_with(error, "values", step)) from None


def _has_default(declared: ConnectionType, settings: Settings) -> bool:
    """Whether there may be one without connections.yaml, or its plugin fails at that, which is said then."""
    try:
        return _needs_nothing(declared.model) or declared.default(settings) is not None
    except Exception:  # whatever a stranger's function raises
        return True


def _needs_nothing(model: type[BaseModel]) -> bool:
    try:
        model.model_validate({})
    except ValidationError:
        return False
    return True


def _count_replacing(declared: ConnectionType, settings: Settings, connector: str) -> int:
    """How many named connections there are, where nothing is set for the one called `default`."""
    if DEFAULT in settings.connections or any((declared.default(settings) or {}).values()):
        return 0
    return sum(entry.connector == connector for entry in settings.connections.values())


def _check_values(adapter: Adapter, connector: str, name: str) -> Finding:
    try:
        adapter.require_connection(connector, name)
    except ConnectorError as error:
        return fail_with(error, "values", "set what is missing")
    return ok("values", "complete")


def _check_key(adapter: Adapter, connector: str, name: str, say: Say) -> Findings:
    test = adapter.registry.connections[connector].test
    if test is None:
        return skip_all(KEY_CHECKS, f"{connector} has no action that tests a connection")
    say(f"asking {connector}.{test}")
    return skip_after_failure(KEY_CHECKS, _try_key(adapter, name, f"{connector}.{test}"))


def _try_key(adapter: Adapter, name: str, action: str) -> Findings:
    """What the action that tests a connection shows. Raises CheckError."""
    passed = (ok("key", "accepted"), ok("rate limit", "not reached"))
    try:
        result = asyncio.run(_test(adapter, action, name))
    except TimeoutError:
        waited = f"its budget allowed no request within {KEY_SECONDS:g} s"
        raise CheckError(skip("key", waited), "the key was not tried") from None
    except InputError as error:  # nothing was sent: this connection cannot be tried
        raise CheckError(skip("key", str(error)), "the key was not tried") from None
    except ConnectorError as error:
        failed = next((check for kind, check in _REFUSALS if isinstance(error, kind)), "key")
        yield from passed[: KEY_CHECKS.index(failed)]
        lacking = "the key is not accepted" if isinstance(error, AuthenticationError) else "the test failed"
        raise CheckError(fail_with(error, failed, f"see: chatforge call {action}"), lacking) from None
    yield from passed
    lists = [count(len(value), field.removesuffix("s")) for field, value in result.items() if isinstance(value, list)]
    yield ok("plan", f"includes the API: {', '.join(lists) or 'it answers'}")


async def _test(adapter: Adapter, action: str, name: str) -> dict[str, Any]:
    """Raises TimeoutError where the budget allows no request in time, ConnectorError for what is wrong otherwise."""
    async with adapter, AsyncExitStack() as opened:
        async with asyncio.timeout(KEY_SECONDS):
            call = await opened.enter_async_context(adapter.open_call(action, {}, connection=name))
        return await within(KEY_SECONDS, call.send())


def check_webhook(webhook: Webhook, values: BaseModel, now: datetime) -> Finding:
    """Whether a delivery can be authenticated, now and in the next days."""
    live = _count_live(webhook, values, now)
    if not live:
        step = "set the webhook secret (CHATFORGE_WEBHOOK_SECRET or webhook_secrets), unless only polling is used"
        return warn("webhooks", "no live secret, so every webhook is refused", step)
    detail = count(live, "live secret")
    for days in range(1, SOON + 1):
        lasting = _count_live(webhook, values, now + timedelta(days=days))
        if lasting < live:
            another = "see that the sender uses another one by then"
            step = another if lasting else "give the one that replaces it as well"
            return warn("webhooks", f"{detail}, {live - lasting} of them ends within {count(days, 'day')}", step)
    return ok("webhooks", detail)


def _count_live(webhook: Webhook, values: BaseModel, at: datetime) -> int:
    try:
        return len(webhook.secrets(values, at))
    except ConnectorError:
        return 0
