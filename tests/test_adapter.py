import asyncio
import base64
import hashlib
import hmac
import json
import logging
import socket
import tomllib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel, ConfigDict

from connector import settings
from connector.adapter import Adapter
from connector.declare import Action, ActionContext, ConnectionType, Event, Secret, Trigger, Webhook
from connector.errors import (
    ActionError,
    AuthenticationError,
    ConnectorError,
    EventError,
    InputError,
    NetworkError,
    OutputError,
    PlanError,
    PluginError,
    RejectedError,
    SettingsError,
    UnknownOperationError,
    WebhookError,
)
from connector.registry import GROUP, Registry, load
from connector.sandbox import Sandbox
from connector.sandbox.server import running
from connector.transport import HttpOptions

ROOT = Path(__file__).parents[1]
POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
BUILT_IN = load(EntryPoint(name, value, GROUP) for name, value in POINTS.items())
CANARY = "canary/0123456789'é"
NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
SAMPLE = BUILT_IN.triggers["chatforge.lead_captured"].sample


class Text(BaseModel):
    text: str = ""


class Account(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Secret
    others: list[Secret] = []
    short: Secret | None = None


Run = Callable[[Text, ActionContext[Any]], Coroutine[Any, Any, Any]]


def strangers(
    *runs: Run,
    output: type[BaseModel] = Text,
    default: Callable[[Any], Mapping[str, Any] | None] = lambda _settings: None,
    **connection: Any,
) -> Registry:
    """What is loaded from a plugin `test` with these functions as its actions."""
    names = {f"test.{run.__name__}": run for run in runs}
    actions = {name: Action(name, "", "", "read", "action", Text, output, {}, run) for name, run in names.items()}
    declared = ConnectionType(Account, "Test", "ask Ann for a token", default, **connection)
    return Registry(actions, {}, {"test": declared} if connection or default(None) else {})


def adapter(folder: Path, registry: Registry = BUILT_IN, **environ: str) -> Adapter:
    return Adapter(registry, settings.load(folder, environ=environ), lambda: NOW)


def run(adapter: Adapter, *arguments: Any, **options: Any) -> dict[str, Any]:
    async def call() -> dict[str, Any]:
        async with adapter:
            return await adapter.run(*arguments, **options)

    return asyncio.run(call())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running() as served:
        yield served


def environ(sandbox: Sandbox) -> dict[str, str]:
    return {
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
    }


def test_action_runs_against_the_api(tmp_path, sandbox):
    output = run(adapter(tmp_path, **environ(sandbox)), "chatforge.list_agents", {})
    assert [agent["id"] for agent in output["agents"]] == [sandbox.agent_id]
    assert json.loads(json.dumps(output)) == output


def test_named_connections_have_their_own_keys_and_addresses(tmp_path, sandbox):
    (tmp_path / "small_key").write_text(f"{sandbox.small_plan_key}\n")
    (tmp_path / "connections.yaml").write_text(
        f"acme: {{connector: chatforge, base_url: '{sandbox.url}', api_key: {{env: ACME}}}}\n"
        f"small: {{connector: chatforge, base_url: '{sandbox.url}', api_key: {{file: small_key}}}}\n"
    )
    variables = {"ACME": sandbox.api_key, "CHATFORGE_API_KEY": "wrong", "CHATFORGE_BASE_URL": sandbox.url}

    async def use_all() -> None:
        async with adapter(tmp_path, **variables) as used:
            assert (await used.run("chatforge.list_agents", {}, connection="acme"))["agents"]
            with pytest.raises(PlanError):
                await used.run("chatforge.list_agents", {}, connection="small")
            with pytest.raises(AuthenticationError):
                await used.run("chatforge.list_agents", {})

    asyncio.run(use_all())


def test_entry_called_default_stands_before_the_environment(tmp_path, sandbox):
    (tmp_path / "connections.yaml").write_text("default: {connector: chatforge, rate_limit: 5}")
    used = adapter(tmp_path, **environ(sandbox))
    assert used.connection("chatforge").model_dump()["rate_limit"] == 5
    with pytest.raises(SettingsError, match="the ChatForge API key is missing: set CHATFORGE_API_KEY"):
        used.require_connection("chatforge")


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
def test_wrong_call_is_refused_in_one_sentence(tmp_path, name, input, options, error, sentence):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge}\ncrm: {connector: contacts}\n")
    with pytest.raises(error) as caught:
        run(adapter(tmp_path), name, input, **options)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("key", ["cf key", "cf_ключ", "cf\tkey"])
def test_key_that_no_header_can_carry_is_named_by_its_setting(tmp_path, sandbox, key):
    with pytest.raises(SettingsError, match="CHATFORGE_API_KEY") as caught:
        run(adapter(tmp_path, **environ(sandbox) | {"CHATFORGE_API_KEY": key}), "chatforge.list_agents", {})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(f'api_key: "{CANARY}"', "api_key: a secret must be given by reference", id="literal key"),
        pytest.param("api_key: 123456789", "api_key: a secret must be given by reference", id="number as key"),
        pytest.param(f'webhook_secrets: ["{CANARY}"]', "webhook_secrets.0: input should be", id="literal secret"),
        pytest.param(f'webhook_secrets: "{CANARY}"', "webhook_secrets: input should be a valid list", id="no list"),
        pytest.param(
            f'webhook_secrets: [{{value: "{CANARY}"}}]',
            "webhook_secrets.0.value: a secret must be given by reference: write {env: NAME} or {file: PATH}",
            id="literal value",
        ),
        pytest.param(
            "api_key: {env: K, until: 2026-12-31}", "api_key: a secret must be given by reference", id="key that ends"
        ),
        pytest.param("apikey: {env: K}", "apikey is not known here", id="unknown name"),
        pytest.param("rate_limit: 0", "rate_limit: input should be greater than or equal to 1", id="limit"),
        pytest.param("base_url: {env: K}", "base_url: input should be a valid string", id="secret for a text"),
    ],
)
def test_bad_connection_is_refused_with_its_place_and_without_its_secrets(tmp_path, values, sentence):
    (tmp_path / "connections.yaml").write_text(f"acme: {{connector: chatforge, {values}}}")
    used = adapter(tmp_path, K=CANARY)
    with pytest.raises(SettingsError) as caught:
        used.connection("chatforge", "acme")
    assert str(caught.value).startswith(f"{tmp_path}/connections.yaml: acme: {sentence}")
    assert str(caught.value).endswith("the ChatForge dashboard, Dashboard → Integrations")
    assert no_canary_in(caught.value)


def no_canary_in(error: BaseException | None) -> bool:
    """Not in the error, its arguments and notes, nor in what led to it."""
    while error is not None:
        if any(form in f"{error!r} {error} {vars(error)}" for form in (CANARY, CANARY[7:17], quote(CANARY, safe=""))):
            return False
        error = error.__cause__ or error.__context__
    return True


def test_connection_without_values_says_what_is_missing_and_where_to_get_it(tmp_path):
    used = adapter(tmp_path, strangers(require=lambda _account: None))
    with pytest.raises(SettingsError, match="the test connection: token is missing; ask Ann for a token"):
        used.connection("test")
    with pytest.raises(UnknownOperationError, match=r"there is no test connection 'x'; add it to connections.yaml"):
        used.connection("test", "x")
    with pytest.raises(UnknownOperationError, match="the connector 'nobody' has no connections"):
        used.connection("nobody")


async def greet(input: Text, context: ActionContext[Any]) -> Text:
    return Text(text=f"Hello {input.text}, {context.idempotency_key}, {context.now}, {context.connection}")


def test_action_without_connection_gets_its_context(tmp_path):
    output = run(adapter(tmp_path, strangers(greet)), "test.greet", {"text": "Ann"}, idempotency_key="k")
    assert output == {"text": "Hello Ann, k, 2026-03-25 10:30:00+00:00, None"}


def test_action_without_connection_reaches_any_address(tmp_path, sandbox):
    async def ask(input: Text, context: ActionContext[Any]) -> Text:
        return Text(text=(await context.http.get(input.text)).text)

    used = strangers(ask)
    assert "effects" in run(adapter(tmp_path, used), "test.ask", {"text": f"{sandbox.control_url}/effects"})["text"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NetworkError, match=f"cannot reach 127.0.0.1:{port}: connection refused") as caught:
        run(adapter(tmp_path, used), "test.ask", {"text": f"http://127.0.0.1:{port}/"})
    assert (caught.value.processed, caught.value.transient) == ("no", True)
    with pytest.raises(NetworkError, match=r"unconnected\.invalid"):
        run(adapter(tmp_path, used), "test.ask", {"text": "no/address"})


FORMS = {
    "plain": CANARY,
    "URL": quote(CANARY, safe=""),
    "JSON": json.dumps(CANARY),
    "Python": repr(CANARY),
    "base64": base64.b64encode(CANARY.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("field", ["token", "others"])
def test_secret_in_a_plugins_exception_is_shown_nowhere(tmp_path, caplog, form, field):
    async def fail(input: Text, context: ActionContext[Any]) -> Text:
        raise RuntimeError(f"cannot log in with {form} as ann") from KeyError(form)

    registry = strangers(fail, default=lambda _s: values, require=lambda _a: None)
    secret = settings.SecretStr(CANARY)
    values = {"token": settings.SecretStr("another"), "others": [secret]} if field == "others" else {"token": secret}
    with pytest.raises(ActionError) as caught:
        run(adapter(tmp_path, registry), "test.fail", {})
    assert "test.fail failed unexpectedly: RuntimeError: cannot log in with " in str(caught.value)
    assert "[secret]" in str(caught.value)
    assert (caught.value.processed, caught.value.transient) == ("unknown", False)
    assert no_canary_in(caught.value)
    assert form not in caplog.text
    assert CANARY[7:17] not in caplog.text
    assert "Traceback" in caplog.text


def test_secret_in_a_plugins_own_sentence_is_hidden(tmp_path):
    async def reject(input: Text, context: ActionContext[Any]) -> Text:
        raise RejectedError(f"the token {context.connection.token.get_secret_value()} is revoked", status=400)

    async def misuse(input: Text, context: ActionContext[Any]) -> Text:
        raise ConnectorError(f"the token {context.connection.token.get_secret_value()} is revoked")

    async def echo(input: Text, context: ActionContext[Any]) -> Text:
        return Text.model_construct(text={context.connection.token.get_secret_value()})

    registry = strangers(reject, misuse, echo, default=lambda _s: {"token": settings.SecretStr(CANARY)})
    with pytest.raises(RejectedError, match=r"^the token \[secret\] is revoked$") as rejected:
        run(adapter(tmp_path, registry), "test.reject", {})
    assert (rejected.value.processed, rejected.value.status) == ("no", 400)
    with pytest.raises(ActionError, match=r"^the token \[secret\] is revoked$") as misused:
        run(adapter(tmp_path, registry), "test.misuse", {})
    assert misused.value.processed == "unknown"
    with pytest.raises(OutputError, match=r"\[secret\]") as echoed:
        run(adapter(tmp_path, registry), "test.echo", {})
    assert all(no_canary_in(caught.value) for caught in (rejected, misused, echoed))


def test_short_secret_does_not_garble_sentences(tmp_path):
    async def reject(input: Text, context: ActionContext[Any]) -> Text:
        raise RejectedError("refused")

    values = {"token": settings.SecretStr("long enough"), "short": settings.SecretStr("e")}
    with pytest.raises(RejectedError, match=r"^refused$"):
        run(adapter(tmp_path, strangers(reject, default=lambda _s: values)), "test.reject", {})


def explode(_value: Any) -> Any:
    raise KeyError(CANARY)


@pytest.mark.parametrize("part", ["default", "require", "http", "budget"])
def test_connection_that_fails_is_a_fault_of_its_plugin(tmp_path, part):
    parts = {"default": lambda _s: {"token": settings.SecretStr(CANARY)}, part: explode}
    registry = Registry(strangers(greet).actions, {}, {"test": ConnectionType(Account, "", "", **parts)})
    with pytest.raises(PluginError, match=r"plugin 'test' .*: its connection cannot be used, KeyError$") as caught:
        run(adapter(tmp_path, registry), "test.greet", {})
    assert no_canary_in(caught.value)


class Anything(BaseModel):
    value: Any = None
    number: float = 0.0


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
def test_output_that_is_not_declared_is_refused(tmp_path, output, reason):
    async def answer(input: Text, context: ActionContext[Any]) -> Any:
        return output

    with pytest.raises(OutputError, match=r"test\.answer returned what it does not declare: ") as caught:
        run(adapter(tmp_path, strangers(answer, output=Anything)), "test.answer", {})
    assert reason in str(caught.value)
    assert caught.value.processed == "unknown"


def test_hostile_text_goes_in_and_out_unchanged(tmp_path):
    async def echo(input: Text, context: ActionContext[Any]) -> Anything:
        return Anything(value={"text": [input.text]})

    text = "\ud800\x00 {{7*7}} '; DROP TABLE + \udfff"
    assert run(adapter(tmp_path, strangers(echo, output=Anything)), "test.echo", {"text": text}) == {
        "value": {"text": [text]},
        "number": 0.0,
    }


def test_call_that_is_not_sent_gives_its_slot_back(tmp_path, sandbox):
    async def use_the_only_slot() -> None:
        async with adapter(tmp_path, CHATFORGE_RATE_LIMIT="1", **environ(sandbox)) as used:
            async with used.open_call("chatforge.list_agents", {}):
                waiting = asyncio.create_task(used.run("chatforge.list_agents", {}))
                await asyncio.sleep(0.01)
                assert not waiting.done()
            async with asyncio.timeout(10):
                assert (await waiting)["agents"]

    asyncio.run(use_the_only_slot())


def test_connections_are_shared_by_calls_and_closed_at_the_end(tmp_path):
    served: list[int] = []
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(0)
        while (await reader.read(10_000)) != b"":
            served[-1] += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        left.set()
        writer.close()

    async def ask(input: Text, context: ActionContext[Any]) -> Text:
        await context.http.get("x")
        return Text()

    async def use() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            values = {"token": settings.SecretStr("token")}
            registry = strangers(ask, default=lambda _s: values, http=lambda _a: HttpOptions(url))
            async with adapter(tmp_path, registry) as used:
                await used.run("test.ask", {})
                await used.run("test.ask", {})
                assert not left.is_set()
            async with asyncio.timeout(10):
                await left.wait()

    asyncio.run(use())
    assert served == [2]


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"X-ChatForge-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


BODY = json.dumps(SAMPLE).encode()


def test_signed_delivery_becomes_an_event(tmp_path):
    used = adapter(tmp_path, CHATFORGE_WEBHOOK_SECRET="one,two")
    used.require_webhook("chatforge")
    delivery = used.accept_webhook("chatforge", "default", signed(BODY, "two"), BODY)
    assert (delivery.connector, delivery.connection, delivery.received_at) == ("chatforge", "default", NOW)
    assert (delivery.text, delivery.event.payload) == (BODY.decode(), SAMPLE)
    assert delivery.event.name == "lead.captured"


def test_old_secret_is_taken_until_its_end(tmp_path):
    (tmp_path / "connections.yaml").write_text(
        "acme: {connector: chatforge, webhook_secrets: [{env: NEW}, {env: OLD, until: 2026-03-25}]}\n"
        "gone: {connector: chatforge, webhook_secrets: [{env: OLD, until: 2026-03-25}]}\n"
    )
    now = [datetime(2026, 3, 25, 23, 59, 59, tzinfo=UTC)]
    loaded = settings.load(tmp_path, environ={"NEW": "new", "OLD": "old"})
    used = Adapter(BUILT_IN, loaded, lambda: now[0])
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
def test_delivery_that_cannot_be_taken_is_refused(tmp_path, connector, connection, body, status, sentence):
    (tmp_path / "connections.yaml").write_text(
        "acme: {connector: chatforge, webhook_secrets: [{env: SECRET}]}\n"
        "torn: {connector: chatforge, webhook_secrets: [{env: MISSING}]}\n"
        "crm: {connector: contacts}\n"
    )
    used = adapter(tmp_path, SECRET="whsec")
    with pytest.raises(WebhookError) as caught:
        used.accept_webhook(connector, connection, signed(body.rstrip(), "whsec"), body)
    assert caught.value.status == status
    assert sentence in str(caught.value)


def test_refusal_tells_strangers_nothing_and_the_operator_everything(tmp_path, caplog):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, webhook_secrets: [{env: MISSING}]}")
    used = adapter(tmp_path)
    for connection, status in (("acme", 503), ("other", 404)):
        with pytest.raises(WebhookError) as caught:
            used.accept_webhook("chatforge", connection, {}, b"")
        assert caught.value.status == status
        assert not any(word in str(caught.value) for word in ("MISSING", "acme", str(tmp_path)))
    [line] = caplog.messages
    assert f"{tmp_path}/connections.yaml: acme: webhook_secrets[0]: the variable MISSING is not set" in line


def test_plugin_that_fails_on_a_delivery_refuses_it(tmp_path, caplog):
    webhook = Webhook(lambda _headers, _body, _secrets: explode(0), explode, lambda _account, _now: ["x"])
    registry = strangers(default=lambda _s: {"token": settings.SecretStr(CANARY)}, webhook=webhook)
    with pytest.raises(WebhookError) as caught:
        adapter(tmp_path, registry).accept_webhook("test", "default", {}, b"")
    assert caught.value.status == 500
    assert no_canary_in(caught.value)
    assert caplog.messages == ["test failed on a delivery, KeyError"]


EVENT = Event("lead.captured", "identity", NOW, SAMPLE)


def test_event_becomes_the_triggers_output(tmp_path):
    selected = adapter(tmp_path).select("chatforge.event", {"events": ["lead.captured"]}, EVENT, NOW)
    assert selected == {
        "event": "lead.captured",
        "agent_id": "abc123",
        "timestamp": "2026-03-25T10:30:00Z",
        "data": SAMPLE["data"],
        "received_at": "2026-03-25T10:30:00Z",
    }
    assert adapter(tmp_path).select("chatforge.event", {"events": ["other"]}, EVENT, NOW) is None


class Output(BaseModel):
    text: str


@pytest.mark.parametrize(
    ("select", "input", "sentence"),
    [
        pytest.param(lambda *_: Output(text=7), {}, "text: input should be a valid string, not 7", id="wrong field"),
        pytest.param(lambda *_: {"text": ""}, {}, "TypeError: dict instead of Output", id="another output"),
        pytest.param(lambda event, *_: event.payload["no"], {}, "failed on the event 'x': KeyError: 'no'", id="raises"),
        pytest.param(lambda *_: None, {"text": 7}, "the input of test.happened does not fit: text", id="input"),
    ],
)
def test_event_that_a_trigger_fails_on_is_an_event_error(tmp_path, select, input, sentence):
    """Whatever the fault is, the host can keep the event."""
    trigger = Trigger("happened", "", "", Text, Output, select, {})
    used = adapter(tmp_path, Registry({}, {"test.happened": trigger}, {}))
    with pytest.raises(EventError) as caught:
        used.select("test.happened", input, Event("x", "1", None, {}), NOW)
    assert sentence in str(caught.value)


def test_catalogue_knows_operations_and_connections(tmp_path):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge}")
    catalogue = adapter(tmp_path).catalogue
    assert catalogue.actions.keys() == BUILT_IN.actions.keys()
    assert catalogue.triggers.keys() == BUILT_IN.triggers.keys()
    assert catalogue.actions["chatforge.inject_message"].effect == "once"
    assert catalogue.connections == {"acme": "chatforge"}


def test_nothing_of_a_connection_is_in_a_repr(tmp_path, sandbox):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, api_key: {env: K}}")
    used = adapter(tmp_path, K="canary0123456789")

    async def show() -> str:
        async with used, used.open_call("chatforge.list_agents", {}, connection="acme") as call:
            logging.getLogger(__name__).info("%r", call)
            return (
                f"{call!r} {call.context!r} {used.connection('chatforge', 'acme')!r} {vars(vars(used)['_accounts'])!r}"
            )

    assert "canary" not in asyncio.run(show())
