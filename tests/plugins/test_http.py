"""`http.request` against a server on the loopback."""

import asyncio
import gzip
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile import TEXTS
from loopback import Answer, Reply, Request, Served, serving

from connector.adapter import Adapter
from connector.errors import (
    ActionError,
    AuthenticationError,
    DuplicateError,
    ForbiddenError,
    InputError,
    NetworkError,
    NotFoundError,
    OutputError,
    RateLimitError,
    RejectedError,
    ServerError,
    SettingsError,
)
from connector.flows.check import check
from connector.plugins.http.connection import HttpConnection
from connector.profiles import keep
from connector.registry import Registry
from connector.settings import load

Send = Callable[..., dict[str, Any]]
HERE = "networks: [127.0.0.0/8]"


@pytest.fixture
def send(tmp_path: Path, make_adapter: Callable[..., Any]) -> Send:
    """send(url of the service, lines of the connection, input…) → the output."""

    def run(address: str, lines: str = "", /, **input: Any) -> dict[str, Any]:
        given = ["connector: http", f"address: {address}", *lines.split("\n")]
        (tmp_path / "connections.yaml").write_text("\n  ".join(["service:", *given]))

        async def work() -> dict[str, Any]:
            async with make_adapter(TOKEN="tok-12345", SECRET="s3cret/=+") as adapter:
                output: dict[str, Any] = await adapter.run(
                    "http.request", {"url": "/things", **input}, connection="service", idempotency_key="run_1:step"
                )
                return output

        return asyncio.run(work())

    return run


@pytest.fixture
def service() -> Iterator[Callable[[Any], Served]]:
    """service(reply or function) → a server that runs until the end of the test."""
    running = []

    def start(answer: Reply | Answer) -> Served:
        one = serving(answer if callable(answer) else lambda _request: answer)
        running.append(one)
        return one.__enter__()

    yield start
    for one in running:
        one.__exit__(None, None, None)


def test_request_has_its_parts_and_the_answer_its_own(send, service):
    served = service(Reply({"id": 7}, 201, {"X-Trace": "abc", "Set-Cookie": "session=1"}))
    output = send(
        served.url + "/v1", HERE, method="POST", url="/people/{name}/notes", path={"name": "a b/c"},
        query={"tag": ["x", "y&z"], "none": None, "on": True}, headers={"X-Own": "1"}, body={"text": "hi"},
        idempotency_header="Idempotency-Key",
    )  # fmt: skip
    request = served.last
    assert (request.method, request.target) == ("POST", "/v1/people/a%20b%2Fc/notes?tag=x&tag=y%26z&on=true")
    assert request.json == {"text": "hi"}
    assert {name: request.headers[name] for name in ("x-own", "content-type", "idempotency-key")} == {
        "x-own": "1", "content-type": "application/json", "idempotency-key": "run_1:step",
    }  # fmt: skip
    assert (output["status"], output["body"], output["headers"]["x-trace"]) == (201, {"id": 7}, "abc")
    assert "set-cookie" not in output["headers"]


def test_answer_of_any_service_is_personal(make_adapter):
    shown = make_adapter().schemas("http.request", "mcp", personal=False).output
    assert [*shown["properties"]] == ["status"]
    given = {"status": 200, "headers": {"location": "/ann"}, "body": [{"email": "ann@example.com"}]}
    assert keep(given, shown) == {"status": 200}


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_visitor_wrote_stays_in_its_place(send, service, text):
    served = service(Reply())
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    send(served.url, HERE, method="POST", query={"q": text}, body={"text": text})
    assert (served.last.path, served.last.query) == ("/things", {"q": whole})
    assert served.last.json == json.loads(json.dumps({"text": text}))
    send(served.url, HERE, method="POST", body_type="form", body={"text": text})
    assert served.last.form == {"text": whole}
    if text:
        send(served.url, HERE, url="/a/{text}/b", path={"text": text})
        assert len(served.last.path.split("/")) == 4


@pytest.mark.parametrize("text", ["", ".", ".."])
def test_value_that_would_change_the_path_is_refused(send, service, text):
    served = service(Reply())
    with pytest.raises(InputError, match="is no part of a path"):
        send(served.url, HERE, url="/a/{text}", path={"text": text})
    assert not served.requests


@pytest.mark.parametrize(
    ("header", "value"),
    [
        *[("X-A", "a\r\nX-B: b"), ("X-A", "é"), ("X A", "1")],
        *[("Host", "other"), ("authorization", "x"), ("Expect", "100-continue")],
    ],
)
def test_header_that_would_be_another_one_is_refused(send, service, header, value):
    served = service(Reply())
    with pytest.raises(InputError, match="header"):
        send(served.url, HERE, headers={header: value})
    assert not served.requests


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("auth: {type: bearer, token: {env: TOKEN}}", ("authorization", "Bearer tok-12345")),
        ("auth: {type: basic, user: me, password: {env: TOKEN}}", ("authorization", "Basic bWU6dG9rLTEyMzQ1")),
        ("auth: {type: header, name: X-Api-Key, value: {env: TOKEN}}", ("x-api-key", "tok-12345")),
        ('headers: {Version: "2026"}', ("version", "2026")),
    ],
)
def test_connection_logs_in(send, service, lines, expected):
    served = service(Reply())
    send(served.url, f"{HERE}\n{lines}")
    assert served.last.headers[expected[0]] == expected[1]


class Tokens:
    """A service whose tokens end, with the address that gives them."""

    def __init__(self, expires_in: float | None = 3600, refuses: int = 0) -> None:
        self.given, self.expires_in, self.refuses = 0, expires_in, refuses

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            self.given += 1
            return Reply({"access_token": f"access-{self.given}", "expires_in": self.expires_in})
        if self.refuses:
            self.refuses -= 1
            return Reply({"error": f"not {request.headers['authorization']}"}, 401)
        return Reply({"you": request.headers["authorization"]})


def oauth(url: str, more: str = "") -> str:
    return (
        f"{HERE}\nauth: {{type: oauth2, token_url: '{url}/token', client_id: me, client_secret: {{env: SECRET}}{more}}}"
    )


def test_token_is_fetched_and_is_shown_nowhere(send, service):
    served = service(Tokens())
    assert send(served.url, oauth(served.url, ", scope: all"))["body"] == {"you": "Bearer [secret]"}
    fetched = served.requests[0]
    assert fetched.form == {"grant_type": "client_credentials", "scope": "all"}
    assert fetched.headers["authorization"] == "Basic bWU6czNjcmV0Lz0r"


def test_key_that_comes_back_as_the_name_of_a_field_is_hidden(send, service, caplog):
    served = service(Reply({"tok-12345": 1}))
    caplog.set_level(logging.DEBUG)
    output = send(served.url, f"{HERE}\nauth: {{type: bearer, token: {{env: TOKEN}}}}", query={"who": "Ann"})
    assert output["body"] == {"[secret]": 1}
    assert "Ann" not in caplog.text


def test_token_that_is_repeated_in_another_form_is_hidden_too(send, service):
    def answer(request: Request) -> Reply:
        if request.path == "/token":
            return Reply({"access_token": "a/b/canary-1"})
        body = rb'{"at": "a\/b\/canary-1", "and": "YS9iL2NhbmFyeS0x"}'
        return Reply(body, 200, {"Content-Type": "application/json", "X-Echo": "a/b/canary-1"})

    output = send(service(answer).url, oauth(service(answer).url))
    assert output["body"] == {"at": "[secret]", "and": "[secret]"}
    assert output["headers"]["x-echo"] == "[secret]"


def test_token_is_kept_until_it_ends(service, make_adapter, tmp_path):
    def fetches(expires_in: float | None) -> int:
        served = service(Tokens(expires_in))
        (tmp_path / "connections.yaml").write_text(
            "\n  ".join(["service:", "connector: http", f"address: {served.url}", *oauth(served.url).split("\n")])
        )

        async def work() -> None:
            async with make_adapter(SECRET="s3cret") as adapter:
                for _ in range(2):
                    await adapter.run("http.request", {"url": "/things"}, connection="service")

        asyncio.run(work())
        return [request.path for request in served.requests].count("/token")

    assert [*map(fetches, (3600, 1, None, 1e300, -1e300, float("nan")))] == [1, 2, 1, 1, 2, 1]


def test_address_that_is_not_public_is_not_reached_unless_it_is_named(send, service):
    served = service(Reply())
    with pytest.raises(NetworkError, match="not on the public internet"):
        send(served.url)
    assert not served.requests


def test_timeout_of_the_connection_is_for_silence_too():
    options = HttpConnection(address="http://127.0.0.1", timeout=120).options
    assert (options.read_timeout, options.total_timeout) == (120, 120)


def test_header_of_the_connection_stands_where_the_step_has_none(send, service):
    served = service(Reply())
    send(
        served.url, f"{HERE}\nheaders: {{Accept: text/csv}}\nauth: {{type: header, name: X-Key, value: {{env: TOKEN}}}}"
    )
    assert served.last.headers["accept"] == "text/csv"
    with pytest.raises(InputError, match="X-key"):
        send(served.url, f"{HERE}\nauth: {{type: header, name: X-Key, value: {{env: TOKEN}}}}", headers={"X-key": "1"})


def test_id_and_secret_go_into_the_body_where_the_service_wants_that(send, service):
    served = service(Tokens())
    send(served.url, oauth(served.url, ", client_in: body"))
    assert served.requests[0].form == {
        "grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret/=+",
    }  # fmt: skip
    assert "authorization" not in served.requests[0].headers


def test_refused_token_is_replaced_once(send, service):
    served = service(Tokens(refuses=1))
    send(served.url, oauth(served.url), method="POST", body={"a": 1})
    assert [request.path for request in served.requests] == ["/token", "/things", "/token", "/things"]
    served = service(Tokens(refuses=9))
    with pytest.raises(AuthenticationError, match=r"not Bearer \[secret\]") as caught:
        send(served.url, oauth(served.url))
    assert len(served.requests) == 4
    assert caught.value.processed == "no"


@pytest.mark.parametrize(
    ("reply", "error", "step"),
    [
        (Reply({"error": "invalid_client"}, 401), AuthenticationError, ""),
        (Reply({"error": "invalid_client"}, 400), AuthenticationError, "check client_id, client_secret and scope"),
        (Reply({}, 404), NotFoundError, "check token_url"),
        (Reply({}, 500), ServerError, "; try again$"),
        (Reply({"nothing": 1}), OutputError, ""),
        (Reply({"access_token": "a\nb"}), OutputError, ""),
    ],
)
def test_request_was_not_sent_where_there_is_no_token(send, service, reply, error, step):
    served = service(reply)
    with pytest.raises(error, match=f"token address.*{step}") as caught:
        send(served.url, oauth(served.url), method="POST")
    assert caught.value.processed == "no"
    assert [request.path for request in served.requests] == ["/token"]


def test_answer_of_the_token_address_is_not_shown(send, service):
    served = service(Reply(b"access_token=canary-1&token_type=bearer", headers={"Content-Type": "text/plain"}))
    with pytest.raises(OutputError, match="gives no access_token in JSON") as caught:
        send(served.url, oauth(served.url))
    assert "canary" not in str(caught.value)


def test_token_address_is_a_whole_one(send):
    with pytest.raises(SettingsError, match="token_url"):
        send("http://127.0.0.1:9", oauth(""))


@pytest.mark.parametrize(("method", "step"), [("GET", "try again"), ("POST", "look there before you repeat it")])
def test_server_that_failed_may_be_asked_again_where_nothing_was_changed(send, service, method, step):
    with pytest.raises(ServerError, match=step):
        send(service(Reply({}, 500)).url, HERE, method=method)


def test_fields_that_are_null_are_left_out_where_that_is_asked_for(send, service):
    served = service(Reply())
    body = {"a": None, "b": [{"c": None, "d": 0}, None], "e": {"f": None}, "g": ""}
    send(served.url, HERE, method="POST", body=body)
    send(served.url, HERE, method="POST", body=body, omit_null=True)
    assert [one.json for one in served.requests] == [body, {"b": [{"d": 0}, None], "e": {}, "g": ""}]


def test_half_a_character_in_a_name_of_an_answer_is_replaced(send, service):
    served = service(Reply(rb'{"a\ud83d": "\ud83d"}', headers={"Content-Type": "application/json"}))
    assert send(served.url, HERE)["body"] == {"a\ufffd": "\ud83d"}


@pytest.mark.parametrize(
    ("reply", "error", "processed", "transient", "words"),
    [
        (Reply({"message": "no"}, 401), AuthenticationError, "no", False, "(401: 'no'); check `auth`"),
        (Reply({"message": "no"}, 403), ForbiddenError, "no", False, "may not do this"),
        (Reply({"detail": "gone"}, 404), NotFoundError, "no", False, "(404: 'gone')"),
        (Reply({"errors": [{"message": "e-mail is taken"}]}, 409), DuplicateError, "no", False, "'e-mail is taken'"),
        (Reply({"errors": ["email: is no address"]}, 422), RejectedError, "no", False, "'email: is no address'"),
        (Reply({}, 429, {"Retry-After": "7"}), RateLimitError, "no", True, "(429: '{}')"),
        (Reply(b"<title>Down</title>", 503), ServerError, "unknown", True, "HTML page 'Down'"),
        (Reply({}, 307, {"Location": "http://127.0.0.2/"}), RejectedError, "no", False, "to 'http://127.0.0.2/'"),
        (Reply({}, 303, {"Location": "/done"}), RejectedError, "unknown", False, "to '/done'"),
    ],
)
def test_status_says_what_went_wrong(send, service, reply, error, processed, transient, words):
    served = service(reply)
    with pytest.raises(ActionError) as caught:
        send(served.url, HERE, method="POST")
    assert type(caught.value) is error
    assert (caught.value.processed, caught.value.transient) == (processed, transient)
    assert words in str(caught.value)
    assert caught.value.retry_after == (7 if error is RateLimitError else None)
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("success", "reply"),
    [("body.ok", Reply({"ok": False})), ("status == 201", Reply({}, 200)), ("body.missing.more", Reply({}))],
)
def test_answer_that_is_no_success_fails(send, service, success, reply):
    served = service(reply)
    with pytest.raises(ActionError, match=r"body\.ok|status == 201|body\.missing"):
        send(served.url, HERE, success=success)


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(b"", 429, {"Retry-After": "7"}), RateLimitError), (Reply(b"<p>Down", 503), ServerError)],
)
def test_error_of_which_success_says_nothing_is_what_its_status_says(send, service, reply, error):
    served = service(reply)
    with pytest.raises(error) as caught:
        send(served.url, HERE, success="body.ok")
    assert caught.value.retry_after == (7 if error is RateLimitError else None)


def test_success_may_be_a_status_that_is_an_error_otherwise(send, service):
    served = service(Reply({"message": "none"}, 404))
    assert send(served.url, HERE, success="status == 200 || status == 404")["status"] == 404


SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "owner": {"$ref": "#/$defs/person"}},
    "required": ["id"],
    "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string"}}}},
}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"id": 1, "more": 2, "owner": {"name": "x", "age": 3}}, None),
        ({"id": "1"}, "body.id"),
        ({"owner": {}}, "needs the field 'id'"),
        ({"id": 1, "owner": {"name": 5}}, "body.owner.name"),
    ],
)
def test_body_fits_its_schema_or_the_sentence_names_the_field(send, service, body, reason):
    served = service(Reply(body))
    if reason is None:
        assert send(served.url, HERE, output_schema=SCHEMA)["body"] == body
    else:
        with pytest.raises(OutputError, match=reason):
            send(served.url, HERE, output_schema=SCHEMA)


def pages(request: Request) -> Reply:
    """Five numbers, two to a page, with all the usual ways to say what comes next."""
    offset = int(request.query.get("offset", request.query.get("after", 0)))
    following = offset + 2 if offset + 2 < 5 else None
    link = f"/v1/things?offset={following}" if following else None
    return Reply({"items": [*range(5)][offset : offset + 2], "next": following, "link": link})


@pytest.mark.parametrize(
    "paging",
    [
        {"items": "body.items", "next": "body.next", "parameter": "after"},
        {"items": "body.items", "next": "body.link"},
        {"items": "body.items", "next": "body.next != null ? count : null", "parameter": "offset"},
    ],
    ids=["cursor", "link", "offset"],
)
def test_pages_are_one_list(send, service, paging):
    served = service(pages)
    output = send(served.url + "/v1", HERE, url="/things", query={"kind": "a"}, paging=paging)
    assert (output["body"], len(served.requests)) == ([0, 1, 2, 3, 4], 3)


def test_pages_of_a_request_that_acts_once_are_refused(send, service):
    served = service(pages)
    paging = {"items": "body.items", "next": "body.next", "parameter": "after"}
    with pytest.raises(InputError, match="paging is for requests that may be repeated"):
        send(served.url, HERE, method="POST", paging=paging)
    assert not served.requests
    assert send(served.url, HERE, method="POST", effect="read", paging=paging)["body"] == [0, 1, 2, 3, 4]


def test_list_of_too_many_pages_fails(send, service):
    served = service(pages)
    paging = {"items": "body.items", "next": "body.next", "parameter": "after", "most": 2}
    with pytest.raises(OutputError, match="more than 2 pages"):
        send(served.url, HERE, paging=paging)
    assert len(served.requests) == 2


@pytest.mark.parametrize(
    "link",
    [
        *("http://127.0.0.2/x", "https://127.0.0.1/x", "http://127.0.0.1:9/v1/x", "//example.com/x", "http://[bad", 7),
        *("http://user:pw@HOST/v1/x", "http://HOST/x", "http://HOST/v1/../x", "/v1/%2e%2e/x", "http://HOST/v1x"),
    ],
)
def test_next_page_is_at_the_same_place(send, service, link):
    served = service(lambda _request: Reply({"items": [1], "link": shown}))
    shown = link.replace("HOST", served.url.removeprefix("http://")) if isinstance(link, str) else link
    with pytest.raises(OutputError, match="next page"):
        send(f"{served.url}/v1", HERE, paging={"items": "body.items", "next": "body.link"})
    assert len(served.requests) == 1


def test_pages_have_a_size_in_all(send, service):
    served = service(Reply({"items": ["x" * 4_500_000], "next": 1}))
    paging = {"items": "body.items", "next": "body.next", "parameter": "after"}
    with pytest.raises(OutputError, match="more than 20 MB"):
        send(served.url, HERE, paging=paging)
    assert len(served.requests) == 5


def test_number_that_is_no_json_is_refused(send, service):
    served = service(Reply(b'{"a": NaN}', headers={"Content-Type": "application/json"}))
    with pytest.raises(OutputError, match="expected JSON"):
        send(served.url, HERE)


def test_answer_that_is_packed_too_tightly_is_not_read(send, service):
    served = service(Reply(gzip.compress(b"[" + b" " * 4_000_000 + b"]"), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(NetworkError, match="packed more than 100 to one"):
        send(served.url, HERE)


def test_connection_without_an_address_says_so(send):
    with pytest.raises(SettingsError, match="address"):
        send("", HERE)


def test_effect_follows_the_method_unless_the_flow_says_otherwise(built_in):
    request = built_in.action("http.request")
    told: list[tuple[Mapping[str, Any], str]] = [
        ({}, "read"), ({"method": "HEAD"}, "read"), ({"method": "POST"}, "once"), ({"method": "DELETE"}, "once"),
        ({"method": "PUT", "effect": "idempotent"}, "idempotent"),
    ]  # fmt: skip
    assert [request.effect_of({**given, "url": "/x"}) for given, _ in told] == [effect for _, effect in told]
    assert Adapter(built_in, load(Path(), environ={})).effect("http.request") == "once", "the strictest"


def test_text_that_is_no_json_is_a_text(send, service):
    served = service(Reply("hé".encode(), headers={"Content-Type": "text/plain"}))
    assert send(served.url, HERE)["body"] == "hé"
    assert json.dumps(send(served.url, HERE, method="HEAD")["body"]) == "null"


GIVEN = "flow: one\ntrigger: {uses: manual}\nsteps: [{id: one, uses: http.request, connection: crm, with: {WITH}}]\n"


def problems(built_in: Registry, given: str) -> list[str]:
    catalogue = replace(Adapter(built_in, load(Path(), environ={})).catalogue, connections={"crm": "http"})
    return [one.message for one in check(GIVEN.replace("WITH", given), "one.yaml", catalogue).problems]


@pytest.mark.parametrize("url", ['"/x/${{ run.id }}"', '"${{ run.flow }}://example.com"', "'https://${{ run.id }}/'"])
def test_url_of_a_request_is_no_place_for_an_expression(built_in, url):
    assert "url decides what http.request is, so it is no place for an expression" in problems(built_in, f"url: {url}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "url: contacts",
            "url is 'contacts': expected what stands behind",
        ),
        ("url: //example.com/x", "url is '//example.com/x': expected what stands behind the connection's address"),
        ("url: /a/%2e%2E/b", "it goes up with '..'"),
        ("url: /a/../b", "url is '/a/../b': it goes up with '..'; write the path out"),
        ("url: '/a?b=c'", "url is '/a?b=c': it has a query; write its values under `query`"),
        ("url: '/a{b'", "expected {NAME} for each value"),
        ("url: /x, success: body.", "success: "),
        ("url: /x, success: statuss == 200", "success: "),
        ("url: /x, paging: {items: body, next: nothing}", "paging: "),
        (
            "url: /x, method: POST, paging: {items: body, next: body.next}",
            "paging is for requests that may be repeated",
        ),
        ("url: /x, output_schema: {name: string}", "output_schema is no JSON Schema"),
        (
            "url: /x, output_schema: {properties: {a: {items: {anyOf: [{type: text}]}}}}",
            "output_schema has the type 'text'; expected array, boolean",
        ),
    ],
)
def test_constant_that_cannot_be_used_is_a_problem_of_the_flow(built_in, given, message):
    [found] = problems(built_in, given)
    assert found.startswith(message) or message in found


def test_request_that_acts_once_is_not_repeated_until_something_holds(built_in):
    text = GIVEN.replace("connection: crm", "connection: crm, retry: {until: output.status == 200}")
    catalogue = replace(Adapter(built_in, load(Path(), environ={})).catalogue, connections={"crm": "http"})
    for method, expected in (("GET", 0), ("POST", 1)):
        found = check(text.replace("WITH", f"url: /x, method: {method}"), "one.yaml", catalogue).problems
        assert [one.rule for one in found] == ["effect"] * expected
