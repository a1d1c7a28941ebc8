import asyncio
import base64
import html
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from connector.accounts import Secrets
from connector.adapter import Adapter
from connector.declare import Action, ActionContext, ConnectionType, Secret, Webhook
from connector.errors import (
    ActionError,
    AuthenticationError,
    ConnectorError,
    OutputError,
    PlanError,
    PluginError,
    RejectedError,
    SettingsError,
    UnknownOperationError,
    WebhookError,
)
from connector.registry import Registry
from connector.sandbox import Sandbox
from connector.transport import HttpOptions

CANARY = "canary/0123456789'é"


class Text(BaseModel):
    text: str = ""


async def ask(input: Text, context: ActionContext[Any]) -> Text:
    await context.http.get("x")
    return Text()


class Account(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Secret
    others: list[Secret] = []
    short: Secret | None = None


Run = Callable[[Text, ActionContext[Any]], Coroutine[Any, Any, Any]]


def strangers(*runs: Run, values: Mapping[str, Any] | None = None, **parts: Any) -> Registry:
    """What is loaded from a plugin `test` with these actions, and with a connection that has these values."""
    names = {f"test.{run.__name__}": run for run in runs}
    actions = {name: Action(name, "", "", "read", "action", Text, Text, {}, run) for name, run in names.items()}
    parts = {"default": lambda _settings: values, **parts}
    return Registry(actions, {}, {"test": ConnectionType(Account, "Test", "ask Ann for a token", **parts)})


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


def no_canary_in(error: BaseException | None) -> bool:
    """Not in the error, its arguments and notes, nor in what led to it."""
    while error is not None:
        if any(form in f"{error!r} {error} {vars(error)}" for form in (CANARY, CANARY[7:17], quote(CANARY, safe=""))):
            return False
        error = error.__cause__ or error.__context__
    return True


def test_named_connections_have_keys_of_their_own_and_the_address_of_the_environment_unless_they_give_one(
    make_adapter, tmp_path, sandbox
):
    (tmp_path / "small_key").write_text(f"{sandbox.small_plan_key}\n")
    (tmp_path / "connections.yaml").write_text(
        f"acme: {{connector: chatforge, base_url: '{sandbox.url}', api_key: {{env: ACME}}}}\n"
        "small: {connector: chatforge, api_key: {file: small_key}}\n"
    )
    variables = {"ACME": sandbox.api_key, "CHATFORGE_API_KEY": "wrong", "CHATFORGE_BASE_URL": sandbox.url}

    async def use_all() -> None:
        async with make_adapter(**variables) as used:
            assert (await used.run("chatforge.list_agents", {}, connection="acme"))["agents"]
            with pytest.raises(PlanError):
                await used.run("chatforge.list_agents", {}, connection="small")
            with pytest.raises(AuthenticationError):
                await used.run("chatforge.list_agents", {})

    asyncio.run(use_all())


def test_entry_called_default_stands_before_the_environment(make_adapter, tmp_path, sandbox):
    (tmp_path / "connections.yaml").write_text("default: {connector: chatforge, rate_limit: 5}")
    used = make_adapter(**environ(sandbox))
    assert used.connection("chatforge").model_dump()["rate_limit"] == 5
    with pytest.raises(SettingsError, match="the ChatForge API key is missing: set CHATFORGE_API_KEY"):
        used.require_connection("chatforge")


@pytest.mark.parametrize("key", ["cf key", "cf_ключ", "cf\tkey"])
def test_key_that_no_header_can_carry_is_named_by_its_setting(make_adapter, sandbox, key):
    with pytest.raises(SettingsError, match="CHATFORGE_API_KEY") as caught:
        run(make_adapter(**environ(sandbox) | {"CHATFORGE_API_KEY": key}), "chatforge.list_agents", {})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(f'api_key: "{CANARY}"', "api_key: a secret must be given by reference", id="literal key"),
        pytest.param("api_key: 123456789", "api_key: a secret must be given by reference", id="number as key"),
        pytest.param(
            f'webhook_secrets: [{{env: K}}, "{CANARY}"]',
            "webhook_secrets.1.value: a secret must be given by reference: write {env: NAME} or {file: PATH}",
            id="literal secret",
        ),
        pytest.param(
            "webhook_secrets: [{evn: K}]",
            "webhook_secrets.0.value: a secret must be given by reference",
            id="misspelt reference",
        ),
        pytest.param(
            f'webhook_secrets: "{CANARY}"',
            "webhook_secrets.0.value: a secret must be given by reference",
            id="literal secret without a list",
        ),
        pytest.param(
            f'webhook_secrets: [{{value: "{CANARY}"}}]',
            "webhook_secrets.0.value: a secret must be given by reference",
            id="literal secret as a value",
        ),
        pytest.param(
            "api_key: {env: K, until: 2026-12-31}", "api_key: a secret must be given by reference", id="key that ends"
        ),
        pytest.param("apikey: {env: K}", "apikey is not known here", id="unknown name"),
        pytest.param("rate_limit: 0", "rate_limit: input should be greater than or equal to 1", id="limit"),
        pytest.param("base_url: foo", "base_url: it is 'foo'; write http://host/path or https://", id="address"),
        pytest.param("base_url: 'https://me:key@x'", "base_url: it is a URL with a user name", id="user name"),
        pytest.param("base_url: {env: K}", "base_url: input should be a valid string", id="secret for a text"),
    ],
)
def test_bad_connection_is_refused_with_its_place_and_without_its_secrets(make_adapter, tmp_path, values, sentence):
    (tmp_path / "connections.yaml").write_text(f"acme: {{connector: chatforge, {values}}}")
    used = make_adapter(K=CANARY)
    with pytest.raises(SettingsError) as caught:
        used.connection("chatforge", "acme")
    assert str(caught.value).startswith(f"{tmp_path}/connections.yaml: acme: {sentence}")
    step = "did you mean 'api_key'?" if values.startswith("apikey") else "the ChatForge Dashboard → Integrations"
    assert str(caught.value).endswith(step)
    assert no_canary_in(caught.value)


def test_connection_without_values_says_what_is_missing_and_where_to_get_it(make_adapter):
    used = make_adapter(strangers(require=lambda _account: None))
    with pytest.raises(SettingsError, match="the test connection: token is missing; ask Ann for a token"):
        used.connection("test")
    with pytest.raises(UnknownOperationError, match=r"there is no test connection 'x'; add it to connections.yaml"):
        used.connection("test", "x")
    with pytest.raises(UnknownOperationError, match="the connector 'nobody' has no connections"):
        used.connection("nobody")


FORMS = {
    "plain": CANARY,
    "URL": quote(CANARY, safe=""),
    "JSON": json.dumps(CANARY),
    "Python": repr(CANARY),
    "base64": base64.b64encode(CANARY.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("field", ["token", "others"])
def test_secret_in_a_plugins_exception_is_shown_nowhere(make_adapter, caplog, form, field):
    async def fail(input: Text, context: ActionContext[Any]) -> Text:
        raise RuntimeError(f"cannot log in with {form} as ann") from ValueError(form)

    secret = SecretStr(CANARY)
    values = {"token": SecretStr("another"), "others": [secret]} if field == "others" else {"token": secret}
    registry = strangers(fail, values=values)
    with pytest.raises(ActionError) as caught:
        run(make_adapter(registry), "test.fail", {})
    assert "test.fail failed unexpectedly: RuntimeError: cannot log in with " in str(caught.value)
    assert "[secret]" in str(caught.value)
    assert (caught.value.processed, caught.value.transient) == ("unknown", False)
    assert no_canary_in(caught.value)
    assert form not in caplog.text
    assert CANARY[7:17] not in caplog.text
    assert "Traceback" in caplog.text


ODD = "cf+key/01 \"<23>'\\é>>>???~~~"


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(ODD, id="plain"),
        pytest.param(quote(ODD, safe=""), id="URL"),
        pytest.param(quote(ODD), id="URL with slashes"),
        pytest.param(quote_plus(ODD), id="form"),
        pytest.param("cf%2bkey%2f01%20%22%3c23%3e%27%5c%c3%a9%3e%3e%3e%3f%3f%3f~~~", id="URL in lower case"),
        pytest.param("cf%2bkey/01%20%22%3c23%3e%27%5c%c3%a9%3e%3e%3e%3f%3f%3f~~~", id="with slashes, in lower case"),
        pytest.param("cf%2bkey%2f01+%22%3c23%3e%27%5c%c3%a9%3e%3e%3e%3f%3f%3f~~~", id="form in lower case"),
        pytest.param(json.dumps(ODD)[1:-1], id="JSON in ASCII"),
        pytest.param(json.dumps(ODD, ensure_ascii=False)[1:-1], id="JSON"),
        pytest.param(repr(ODD)[1:-1], id="Python"),
        pytest.param(html.escape(ODD), id="HTML"),
        pytest.param(html.escape(ODD, quote=False), id="HTML outside attributes"),
        pytest.param("cf+key/01 &#34;&lt;23&gt;&#39;\\é&gt;&gt;&gt;???~~~", id="HTML with numbers"),
        pytest.param(ODD.encode().hex(), id="hexadecimal"),
        pytest.param(ODD.encode().hex().upper(), id="hexadecimal in upper case"),
    ],
)
def test_each_form_of_a_secret_is_hidden_whole_or_cut(form):
    assert Secrets([ODD, "another"]).hide(f"'{form}' '{form[:9]}…' {form}") == "'[secret]' '[secret]…' [secret]"


@pytest.mark.parametrize("encode", [base64.standard_b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("after", ["", "!", "!!"])
@pytest.mark.parametrize("before", ["Bearer ", "ann:", "Basic "], ids=["1 byte", "1 byte more", "0 bytes"])
@pytest.mark.parametrize("secret", [ODD, ODD[1:], ODD[2:]], ids=range(3))
def test_secret_in_the_base64_of_a_longer_text_is_hidden(secret, before, after, encode):
    hidden = Secrets([secret]).hide(encode(f"{before}{secret}{after}".encode()).decode())
    start, rest = hidden.split("[secret]")
    assert len(start) <= -(-len(before) * 4 // 3)
    assert len(rest.rstrip("=")) <= len(after) + 1


def test_ellipses_without_a_secret_change_nothing():
    assert Secrets([]).hide("a… b…") == "a… b…"
    assert Secrets([ODD]).hide("cf+… cf+kex… cf+key") == "cf+… cf+kex… cf+key"


def test_secret_in_a_plugins_own_sentence_is_hidden(make_adapter):
    async def reject(input: Text, context: ActionContext[Any]) -> Text:
        raise RejectedError(f"the token {context.connection.token.get_secret_value()} is revoked", status=400)

    async def misuse(input: Text, context: ActionContext[Any]) -> Text:
        raise ConnectorError(f"the token {context.connection.token.get_secret_value()} is revoked")

    async def echo(input: Text, context: ActionContext[Any]) -> Text:
        return Text.model_construct(text={context.connection.token.get_secret_value()})

    registry = strangers(reject, misuse, echo, values={"token": SecretStr(CANARY)})
    with pytest.raises(RejectedError, match=r"^the token \[secret\] is revoked$") as rejected:
        run(make_adapter(registry), "test.reject", {})
    assert (rejected.value.processed, rejected.value.status) == ("no", 400)
    with pytest.raises(ActionError, match=r"^the token \[secret\] is revoked$") as misused:
        run(make_adapter(registry), "test.misuse", {})
    assert misused.value.processed == "unknown"
    with pytest.raises(OutputError, match=r"\[secret\]") as echoed:
        run(make_adapter(registry), "test.echo", {})
    assert all(no_canary_in(caught.value) for caught in (rejected, misused, echoed))


@pytest.mark.parametrize("length", [4, 9, len(CANARY) - 1])
def test_secret_that_was_cut_is_hidden(make_adapter, length):
    async def reject(input: Text, context: ActionContext[Any]) -> Text:
        raise RejectedError(f"'x{context.connection.token.get_secret_value()[:length]}…' and '…' do not fit")

    registry = strangers(reject, values={"token": SecretStr(CANARY)})
    with pytest.raises(RejectedError, match=r"^'x\[secret\]…' and '…' do not fit$"):
        run(make_adapter(registry), "test.reject", {})


def test_short_secret_does_not_garble_sentences(make_adapter):
    async def reject(input: Text, context: ActionContext[Any]) -> Text:
        raise RejectedError("refused")

    values = {"token": SecretStr("long enough"), "short": SecretStr("e")}
    with pytest.raises(RejectedError, match=r"^refused$"):
        run(make_adapter(strangers(reject, values=values)), "test.reject", {})


def explode(_value: Any) -> Any:
    raise KeyError(CANARY)


@pytest.mark.parametrize("part", ["default", "require", "http", "budget"])
def test_connection_that_fails_is_a_fault_of_its_plugin(make_adapter, part):
    registry = strangers(ask, **{"values": {"token": SecretStr(CANARY)}, part: explode})
    with pytest.raises(PluginError, match=r"plugin 'test' .*: its connection cannot be used, KeyError$") as caught:
        run(make_adapter(registry), "test.ask", {})
    assert no_canary_in(caught.value)


def test_connections_are_shared_by_calls_and_closed_at_the_end(make_adapter):
    served: list[int] = []
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(0)
        while (await reader.read(10_000)) != b"":
            served[-1] += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        left.set()
        writer.close()

    async def use() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            values = {"token": SecretStr("token")}
            registry = strangers(ask, values=values, http=lambda _a: HttpOptions(url))
            async with make_adapter(registry) as used:
                await used.run("test.ask", {})
                await used.run("test.ask", {})
                assert not left.is_set()
            async with asyncio.timeout(10):
                await left.wait()

    asyncio.run(use())
    assert served == [2]


def test_plugin_that_fails_on_a_delivery_refuses_it(make_adapter, caplog):
    webhook = Webhook(lambda _headers, _body, _secrets: explode(0), explode, lambda _account, _now: ["x"])
    registry = strangers(values={"token": SecretStr(CANARY)}, webhook=webhook)
    with pytest.raises(WebhookError) as caught:
        make_adapter(registry).accept_webhook("test", "default", {}, b"")
    assert caught.value.status == 500
    assert no_canary_in(caught.value)
    assert caplog.messages == ["test failed on a delivery, KeyError"]


def test_nothing_of_a_connection_is_in_a_repr(make_adapter, tmp_path):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, api_key: {env: K}}")
    used = make_adapter(K="canary0123456789")

    async def show() -> str:
        async with used, used.open_call("chatforge.list_agents", {}, connection="acme") as call:
            return (
                f"{call!r} {call.context!r} {used.connection('chatforge', 'acme')!r} {vars(vars(used)['_accounts'])!r}"
            )

    assert "canary" not in asyncio.run(show())
