import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from connector import settings
from connector.adapter import Adapter
from connector.chatforge.samples import EVENT as SAMPLE
from connector.declare import Action, ActionContext, ConnectionType, Event, Poll, PollRequest, PollStep, Trigger, action
from connector.errors import (
    EventError,
    InputError,
    NetworkError,
    NotFoundError,
    OutputError,
    ServerError,
    SettingsError,
    StateError,
    StepTimeoutError,
    UnknownOperationError,
    WebhookError,
)
from connector.polling import Polled
from connector.registry import Registry
from connector.sandbox import Sandbox
from connector.transport import HttpOptions, Purpose, Slot

NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


class Text(BaseModel):
    text: str = ""


class Anything(BaseModel):
    value: Any = None
    number: float = 0.0


def strangers(run: Callable[[Text, ActionContext[Any]], Coroutine[Any, Any, Any]]) -> Registry:
    """What is loaded from a plugin `test` with this action and without a connection."""
    name = f"test.{run.__name__}"
    return Registry({name: Action(name, "", "", "read", "action", Text, Anything, {}, run)}, {}, {})


def run(adapter: Adapter, *arguments: Any, **options: Any) -> dict[str, Any]:
    async def call() -> dict[str, Any]:
        async with adapter:
            return await adapter.run(*arguments, **options)

    return asyncio.run(call())


def environ(sandbox: Sandbox) -> dict[str, str]:
    return {
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
    }


def test_action_runs_against_the_api(make_adapter, sandbox):
    output = run(make_adapter(**environ(sandbox)), "chatforge.list_agents", {})
    assert [agent["id"] for agent in output["agents"]] == [sandbox.agent_id]
    assert json.loads(json.dumps(output)) == output


@pytest.mark.parametrize(
    ("name", "input", "options", "error", "sentence"),
    [
        pytest.param(
            "chatforge.list_agent", {}, {}, UnknownOperationError, "did you mean 'chatforge.list_agents'?", id="action"
        ),
        pytest.param(
            "chatforge.list_agents",
            {},
            {"connection": "acm"},
            UnknownOperationError,
            "there is no chatforge connection 'acm'; did you mean 'acme'?",
            id="connection",
        ),
        pytest.param(
            "chatforge.list_agents",
            {},
            {"connection": "crm"},
            UnknownOperationError,
            "the connection 'crm' is for the connector 'contacts', not for 'chatforge'",
            id="connection of another connector",
        ),
        pytest.param(
            "chatforge.inject_message",
            {"agent_id": 7, "content": "Hi", "to": "x"},
            {},
            InputError,
            "the input of chatforge.inject_message does not fit: agent_id: input should be a valid string, not 7; "
            "conversation_id is missing; to is not known here",
            id="input",
        ),
        pytest.param(
            "contacts.find",
            {},
            {},
            InputError,
            "the input of contacts.find does not fit: give at least one of email, phone and external_id",
            id="input as a whole",
        ),
        pytest.param(
            "chatforge.list_agents", {}, {}, SettingsError, "the ChatForge API key is missing: set", id="no key"
        ),
    ],
)
def test_wrong_call_is_refused_in_one_sentence(make_adapter, tmp_path, name, input, options, error, sentence):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge}\ncrm: {connector: contacts}\n")
    with pytest.raises(error) as caught:
        run(make_adapter(), name, input, **options)
    assert sentence in str(caught.value)


async def greet(input: Text, context: ActionContext[Any]) -> Anything:
    return Anything(value=[input.text, context.idempotency_key, context.now, context.connection])


def test_action_without_connection_gets_its_context(make_adapter):
    output = run(make_adapter(strangers(greet)), "test.greet", {"text": "Ann"}, idempotency_key="k")
    assert output["value"] == ["Ann", "k", "2026-03-25T10:30:00Z", None]


def test_action_without_connection_reaches_any_address(make_adapter, sandbox):
    async def ask(input: Text, context: ActionContext[Any]) -> Anything:
        return Anything(value=(await context.http.get(input.text)).json())

    used = strangers(ask)
    answer = run(make_adapter(used), "test.ask", {"text": f"{sandbox.control_url}/effects"})
    assert answer["value"] == {"effects": []}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NetworkError, match=f"cannot reach 127.0.0.1:{port}: connection refused") as caught:
        run(make_adapter(used), "test.ask", {"text": f"http://127.0.0.1:{port}/"})
    assert (caught.value.processed, caught.value.transient) == ("no", True)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        pytest.param(None, "NoneType instead of Anything", id="nothing"),
        pytest.param({"value": 1}, "dict instead of Anything", id="dict"),
        pytest.param(Text(), "Text instead of Anything", id="another model"),
        pytest.param(Anything(value=object()), "Unable to serialize unknown type", id="not JSON"),
        pytest.param(Anything(number=float("nan")), "Out of range float values are not JSON compliant", id="NaN"),
        pytest.param(Anything.model_construct(number="1"), "Expected `float`", id="not checked"),
    ],
)
def test_output_that_is_not_declared_is_refused(make_adapter, output, reason):
    async def answer(input: Text, context: ActionContext[Any]) -> Any:
        return output

    with pytest.raises(OutputError, match=r"test\.answer returned what it does not declare: ") as caught:
        run(make_adapter(strangers(answer)), "test.answer", {})
    assert reason in str(caught.value)
    assert caught.value.processed == "unknown"


def test_hostile_text_goes_in_and_out_unchanged(make_adapter):
    async def echo(input: Text, context: ActionContext[Any]) -> Anything:
        return Anything(value={"text": [input.text]})

    text = "\ud800\x00 {{7*7}} +4917012345 \udfff"
    assert run(make_adapter(strangers(echo)), "test.echo", {"text": text})["value"] == {"text": [text]}


def test_call_that_is_not_sent_gives_its_slot_back(make_adapter, sandbox):
    async def use_the_only_slot() -> None:
        async with make_adapter(CHATFORGE_RATE_LIMIT="1", **environ(sandbox)) as used:
            async with used.open_call("chatforge.list_agents", {}):
                waiting = asyncio.create_task(used.run("chatforge.list_agents", {}))
                await asyncio.sleep(0.01)
                assert not waiting.done()
            async with asyncio.timeout(10):
                assert (await waiting)["agents"]

    asyncio.run(use_the_only_slot())


@pytest.mark.parametrize(("effect", "ends"), [("read", "2 answers"), ("once", "network")])
def test_only_a_read_that_met_a_closing_connection_is_sent_again(make_adapter, sandbox, effect, ends):
    @action(effect=effect, title="Look")
    async def look(_input: Text, context: ActionContext[Any]) -> Anything:
        """Twice over one connection, which the other side then closes."""
        asked = {"params": {"action": "v1-agents"}, "headers": {"Authorization": f"Bearer {sandbox.api_key}"}}
        answers = [await context.http.get(sandbox.url, **asked) for _ in range(2)]
        return Anything(value=f"{len(answers)} answers")

    fault = {"action": "v1-agents", "connection": "reused", "cut": "before_effect", "times": 1}
    httpx.post(f"{sandbox.control_url}/faults", json=fault)
    try:
        found = run(make_adapter(Registry({"test.look": look}, {}, {})), "test.look", {})["value"]
    except NetworkError as error:
        found = error.kind
    assert found == ends


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"X-ChatForge-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


BODY = json.dumps(SAMPLE).encode()


def test_signed_delivery_becomes_an_event(make_adapter):
    used = make_adapter(CHATFORGE_WEBHOOK_SECRET="one,two")
    for connector in ("chatforge", "contacts", "nobody"):
        used.require_webhook(connector)
    delivery = used.accept_webhook("chatforge", "default", signed(BODY, "two"), BODY)
    assert (delivery.connector, delivery.connection, delivery.received_at) == ("chatforge", "default", NOW)
    assert (delivery.text, delivery.event.payload) == (BODY.decode(), SAMPLE)
    assert delivery.event.name == "lead.captured"


def test_old_secret_is_taken_until_its_end(built_in, tmp_path):
    (tmp_path / "connections.yaml").write_text(
        "acme: {connector: chatforge, webhook_secrets: [{env: NEW}, {env: OLD, until: 2026-03-25}]}\n"
        "gone: {connector: chatforge, webhook_secrets: {env: OLD, until: 2026-03-25}}\n"
    )
    now = [datetime(2026, 3, 25, 23, 59, 59, tzinfo=UTC)]
    loaded = settings.load(tmp_path, environ={"NEW": "new", "OLD": "old"})
    used = Adapter(built_in, loaded, lambda: now[0])
    for secret in ("new", "old"):
        assert used.accept_webhook("chatforge", "acme", signed(BODY, secret), BODY).connection == "acme"
    used.require_webhook("chatforge", "gone")
    now[0] += timedelta(seconds=1)
    used.accept_webhook("chatforge", "acme", signed(BODY, "new"), BODY)
    with pytest.raises(WebhookError) as caught:
        used.accept_webhook("chatforge", "acme", signed(BODY, "old"), BODY)
    assert caught.value.status == 401
    with pytest.raises(SettingsError, match="the ChatForge webhook secret has ended"):
        used.require_webhook("chatforge", "gone")


@pytest.mark.parametrize(
    ("connector", "connection", "body", "status", "sentence"),
    [
        pytest.param(
            "nobody", "default", BODY, 404, "there is no connector 'nobody' that takes webhooks", id="connector"
        ),
        pytest.param("contacts", "default", BODY, 404, "there is no connector 'contacts'", id="no webhooks"),
        pytest.param("chatforge", "acm", BODY, 404, "there is no chatforge connection 'acm'", id="connection"),
        pytest.param("chatforge", "crm", BODY, 404, "there is no chatforge connection 'crm'", id="another's"),
        pytest.param("chatforge", "default", BODY, 503, "this connection takes no webhooks now", id="no secret"),
        pytest.param("chatforge", "torn", BODY, 503, "this connection takes no webhooks now", id="missing variable"),
        pytest.param("chatforge", "acme", BODY + b" ", 401, "does not fit the body", id="forged"),
        pytest.param("chatforge", "acme", b"[]", 400, "expected a JSON object", id="no event"),
    ],
)
def test_delivery_that_cannot_be_taken_is_refused(
    make_adapter, tmp_path, connector, connection, body, status, sentence
):
    (tmp_path / "connections.yaml").write_text(
        "acme: {connector: chatforge, webhook_secrets: [{env: SECRET}]}\n"
        "torn: {connector: chatforge, webhook_secrets: [{env: MISSING}]}\n"
        "crm: {connector: contacts}\n"
    )
    used = make_adapter(SECRET="whsec")
    with pytest.raises(WebhookError) as caught:
        used.accept_webhook(connector, connection, signed(body.rstrip(), "whsec"), body)
    assert caught.value.status == status
    assert sentence in str(caught.value)


def test_refusal_tells_strangers_nothing_and_the_operator_everything(make_adapter, tmp_path, caplog):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, webhook_secrets: [{env: MISSING}]}")
    used = make_adapter()
    for connection, status in (("acme", 503), ("other", 404)):
        with pytest.raises(WebhookError) as caught:
            used.accept_webhook("chatforge", connection, {}, b"")
        assert caught.value.status == status
        assert not any(word in str(caught.value) for word in ("MISSING", "acme", str(tmp_path)))
    [line] = caplog.messages
    assert f"{tmp_path}/connections.yaml: acme: webhook_secrets[0]: the variable MISSING is not set" in line


EVENT = Event("lead.captured", "identity", NOW, SAMPLE)


def test_event_becomes_the_triggers_output(make_adapter):
    selected = make_adapter().select("chatforge.event", {"events": ["lead.captured"]}, EVENT, NOW)
    assert selected == {
        "event": "lead.captured",
        "agent_id": "abc123",
        "timestamp": "2026-03-25T10:30:00Z",
        "data": SAMPLE["data"],
        "received_at": "2026-03-25T10:30:00Z",
    }
    assert make_adapter().select("chatforge.event", {"events": ["other"]}, EVENT, NOW) is None


class Output(BaseModel):
    text: str


def refuse(*_: object) -> None:
    raise EventError("its own sentence")


@pytest.mark.parametrize(
    ("select", "input", "sentence"),
    [
        pytest.param(lambda *_: Output(text=7), {}, "text: input should be a valid string, not 7", id="wrong field"),
        pytest.param(lambda *_: {"text": ""}, {}, "TypeError: dict instead of Output", id="another output"),
        pytest.param(lambda event, *_: event.payload["no"], {}, "failed on the event 'x': KeyError: 'no'", id="raises"),
        pytest.param(refuse, {}, "its own sentence", id="event error"),
        pytest.param(lambda *_: None, {"text": 7}, "the input of test.happened does not fit: text", id="input"),
    ],
)
def test_event_that_a_trigger_fails_on_is_an_event_error(make_adapter, select, input, sentence):
    """Whatever the fault is, the host can keep the event."""
    trigger = Trigger("happened", "", "", Text, Output, select, {})
    used = make_adapter(Registry({}, {"test.happened": trigger}, {}))
    with pytest.raises(EventError) as caught:
        used.select("test.happened", input, Event("x", "1", None, {}), NOW)
    assert sentence in str(caught.value)
    assert ("test.happened" in str(caught.value)) == (select is not refuse)


def test_catalogue_knows_operations_and_connections(make_adapter, built_in, tmp_path):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge}")
    catalogue = make_adapter().catalogue
    assert catalogue.actions.keys() == built_in.actions.keys()
    assert catalogue.triggers.keys() == built_in.triggers.keys()
    assert catalogue.actions["chatforge.inject_message"].effect == "once"
    assert catalogue.connections == {"acme": "chatforge"}


class SlowBudget:
    """Grants each request after a wait."""

    limit = 75

    async def take(self, _purpose: Purpose) -> Slot:
        await asyncio.sleep(0.8)
        return NoSlot()

    async def aclose(self) -> None: ...


class NoSlot:
    def answered(self, _response: httpx.Response | None) -> None: ...

    def lost(self) -> None: ...

    def unused(self) -> None: ...


@pytest.mark.parametrize(("timeout", "ends"), [(1.5, False), (0.01, True)], ids=["waits only", "slow itself"])
def test_timeout_of_a_call_does_not_count_its_waits_for_the_budget(make_adapter, sandbox, timeout, ends):
    async def look_three_times(_input: Text, context: ActionContext[Any]) -> Text:
        for _ in range(3):
            await context.http.get(f"{sandbox.control_url}/health")
        if ends:
            await asyncio.sleep(5)
        return Text()

    declared = Action("test.look", "", "", "read", "action", Text, Text, {}, look_three_times)
    connection = ConnectionType(
        model=Empty,
        title="",
        help="",
        default=lambda _settings: {},
        http=lambda _values: HttpOptions(sandbox.control_url),
        budget=lambda _values: SlowBudget(),
    )
    adapter = make_adapter(Registry({"test.look": declared}, {}, {"test": connection}))

    async def call() -> None:
        async with adapter, adapter.open_call("test.look", {}) as opened:
            await opened.send(timeout)

    if ends:
        with pytest.raises(StepTimeoutError, match=r"did not finish within its timeout of 0\.01 s"):
            asyncio.run(call())
    else:
        asyncio.run(call())


def test_rate_limit_of_a_connection_is_that_of_its_budget(make_adapter):
    connections = {
        "slow": ConnectionType(Empty, "", "", lambda _settings: {}, budget=lambda _values: SlowBudget()),
        "free": ConnectionType(Empty, "", "", lambda _settings: {}),
    }
    adapter = make_adapter(Registry({}, {}, connections))
    assert (adapter.rate_limit("slow"), adapter.rate_limit("free")) == (75, None)
    assert make_adapter(CHATFORGE_API_KEY="k", CHATFORGE_RATE_LIMIT="30").rate_limit("chatforge") == 30
    with pytest.raises(UnknownOperationError):
        adapter.rate_limit("slow", "nobody")


class Empty(BaseModel):
    pass


def numbers(wanted: Any, state: Any, page: Any, now: datetime) -> PollStep:
    """Asks for two pages in a round; each page is an event."""
    count = (state or {"count": 0})["count"]
    if page is None:
        return PollStep([], {"count": count}, PollRequest("echo", {"text": str(count)}))
    events = [Event("number", f"number:{count}", now, dict(page), "poll")]
    asked = PollRequest("echo", {"text": str(count + 1)}) if count % 2 == 0 else None
    return PollStep(events, {"count": count + 1}, asked)


async def echo(input: Text, _context: ActionContext[Any]) -> Anything:
    if input.text == "lost":
        raise NotFoundError("it is gone")
    return Anything(value=input.text)


def polled(poll: Poll | None) -> Registry:
    trigger = Trigger("test.numbers", "", "", Text, Text, lambda *_: None, Event("x", "1", None, {}), ("poll",), poll)
    read = strangers(echo).actions["test.echo"]
    actions = {read.name: read, "test.write": replace(read, name="test.write", effect="once")}
    return Registry(actions, {trigger.name: trigger}, {})


def poll(adapter: Adapter, state: Any = None, **input: Any) -> Polled:
    async def step() -> Polled:
        async with adapter:
            return await adapter.poll("test.numbers", input, state)

    return asyncio.run(step())


def test_poll_makes_one_request_a_step_and_its_state_is_plain_json(make_adapter):
    used, state, steps = make_adapter(polled(numbers)), None, []
    for _ in range(4):
        step = poll(used, state)
        state = json.loads(json.dumps(step.state))
        steps.append(([(event.identity, event.payload["value"]) for event in step.events], step.more))
    assert steps == [
        ([("number:0", "0")], True),
        ([("number:1", "1")], False),
        ([("number:2", "2")], True),
        ([("number:3", "3")], False),
    ]


def test_failed_request_of_a_poll_can_be_made_again_with_the_same_state(make_adapter):
    good = poll(make_adapter(polled(numbers)))
    broken = {**good.state, "request": ["echo", {"text": 7}]}
    with pytest.raises(InputError):
        poll(make_adapter(polled(numbers)), broken)
    assert [event.identity for event in poll(make_adapter(polled(numbers)), good.state).events] == ["number:1"]


def test_poll_is_told_when_what_it_asks_for_is_gone(make_adapter):
    told = []

    def ask(_wanted: Any, _state: Any, page: Any, _now: datetime) -> PollStep:
        told.append(page)
        return PollStep([], {}, PollRequest("echo", {"text": "lost"}) if page is None else None)

    assert not poll(make_adapter(polled(ask))).more
    assert [type(page) for page in told] == [type(None), NotFoundError]


@pytest.mark.parametrize(
    ("error", "page"), [(NotFoundError("it is gone"), {}), (ServerError("it failed"), {}), (NetworkError("cut"), None)]
)
@pytest.mark.parametrize("steps", [1, 2])
def test_poll_goes_on_without_an_answer_that_is_optional(make_adapter, error, page, steps):
    told = []

    async def fail(input: Text, _context: ActionContext[Any]) -> Anything:
        if input.text == "lost":
            raise error
        return Anything(value=input.text)

    def ask(_wanted: Any, state: Any, given: Any, _now: datetime) -> PollStep:
        told.append(given)
        number = state["number"] + 1 if state else 1
        text = "lost" if number == steps else "here"
        return PollStep([], {"number": number}, PollRequest("echo", {"text": text}, optional=True))

    registry = polled(ask)
    failing = replace(strangers(fail).actions["test.fail"], name="test.echo")
    used, state = make_adapter(replace(registry, actions={"test.echo": failing})), None
    for _ in range(steps - 1):
        state = poll(used, state).state
    if page is None:
        with pytest.raises(NetworkError):
            poll(used, state)
    else:
        poll(used, state)
        assert told[-1] == page


def test_state_goes_on_where_the_plugin_got_a_field_that_means_what_was(make_adapter):
    class Longer(Text):
        most: int = 50

    registry = polled(numbers)
    longer = replace(registry.triggers["test.numbers"], input=Longer)
    used = make_adapter(replace(registry, triggers={longer.name: longer}))
    assert poll(used, STATE).state["input"] == {"text": "", "most": 50}
    with pytest.raises(StateError):
        poll(used, STATE, most=7)


STATE = {"trigger": "test.numbers", "input": {"text": ""}, "state": {"count": 0}, "request": ["echo", {"text": "0"}]}
OTHER_STATE = {**STATE, "trigger": "test.letters"}
WRITES = {**STATE, "request": ["write", {"text": "0"}]}


def refuse_page(*_: Any) -> Any:
    raise KeyError("id")


@pytest.mark.parametrize(
    ("registry", "state", "input", "error", "sentence"),
    [
        pytest.param(polled(numbers), {"old": 1}, {}, InputError, "pass what it returned last, or None", id="state"),
        pytest.param(polled(numbers), OTHER_STATE, {}, InputError, "has returned for this input", id="other trigger"),
        pytest.param(
            polled(numbers), STATE, {"text": "x"}, InputError, "has returned for this input", id="other input"
        ),
        pytest.param(polled(numbers), WRITES, {}, InputError, "a poll only reads", id="state that writes"),
        pytest.param(
            polled(numbers), None, {"text": 7}, EventError, "the input of test.numbers does not fit", id="input"
        ),
        pytest.param(
            polled(refuse_page), None, {}, EventError, "the poll of test.numbers failed: KeyError", id="fault"
        ),
        pytest.param(polled(None), None, {}, UnknownOperationError, "test.numbers is not polled", id="no poll"),
    ],
)
def test_poll_that_cannot_go_on_says_why(make_adapter, registry, state, input, error, sentence):
    with pytest.raises(error) as caught:
        poll(make_adapter(registry), state, **input)
    assert sentence in str(caught.value)


def test_connection_is_checked_by_the_action_that_its_plugin_names(make_adapter, sandbox):
    async def check(adapter: Adapter, connector: str) -> Any:
        async with adapter:
            return await adapter.check_connection(connector)

    agents = asyncio.run(check(make_adapter(**environ(sandbox)), "chatforge"))["agents"]
    assert [agent["id"] for agent in agents] == [sandbox.agent_id]
    with pytest.raises(UnknownOperationError, match="the connector 'test' has no connection that can be checked"):
        asyncio.run(check(make_adapter(), "test"))
