"""The e-mail plugin against aiosmtpd, and against a server that breaks off where a test says."""

import asyncio
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
import trustme
from hostile import TEXTS
from plugins.mail_server import CLOSE, PASSWORD, SILENCE, USER, answering, running
from pydantic import SecretStr

from connector.adapter import Adapter
from connector.errors import (
    ActionError,
    AuthenticationError,
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
from connector.flows.check import check as check_flow
from connector.plugins.email.template import find_fault
from connector.settings import load
from connector.testing import PluginContract, Service

PLAIN = {"security": "none", "networks": ["127.0.0.0/8"], "host": "127.0.0.1"}
LOCAL = {"host": "localhost", "networks": ["127.0.0.0/8", "::1/128"]}
LOGIN = {"user": USER, "password": {"env": "SMTP_PASSWORD"}}
HELLO = {"to": "ann@example.com", "subject": "Hello", "text": "How are you?"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def do(tmp_path, make_adapter, authority) -> Callable[..., dict[str, Any]]:
    """do(port, values of the connection, action, key, field=value, …) → its output."""
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())

    def run(port: int, made: dict[str, Any], action: str = "send", key: str = "run-1", **input: Any) -> dict[str, Any]:
        mail = {"connector": "email", "port": port, "from": "cal@example.com", **made}
        (tmp_path / "connections.yaml").write_text(json.dumps({"mail": mail}))
        given = {} if action == "check_connection" else {**HELLO, **input}

        async def work() -> dict[str, Any]:
            async with make_adapter(SMTP_PASSWORD=PASSWORD) as adapter:
                opened = adapter.open_call(f"email.{action}", given, connection="mail", idempotency_key=key)
                async with opened as call:
                    return await call.send()

        return asyncio.run(work())

    return run


def failing(do, error: type[ActionError], words: str, *arguments: Any, **input: Any) -> ActionError:
    with pytest.raises(ActionError, match=words) as caught:
        do(*arguments, **input)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    return caught.value


# The message


def test_message_has_its_headers_and_its_envelope(do):
    with running() as box:
        sent = do(box.port, {**PLAIN, "from_name": "Cal, Sales"}, to=["ann@example.com", "bob@example.com"],
                  cc=["carl@example.com"], bcc=["dora@example.com"], reply_to="john@example.com")  # fmt: skip
    [message], [envelope] = box.messages, box.envelopes
    assert sent["reply"] == "queued as 4711"
    assert {name: message[name] for name in ("From", "To", "Cc", "Bcc", "Reply-To", "Subject")} == {
        "From": '"Cal, Sales" <cal@example.com>', "To": "ann@example.com, bob@example.com", "Cc": "carl@example.com",
        "Bcc": None, "Reply-To": "john@example.com", "Subject": "Hello",
    }  # fmt: skip
    assert message["Date"] == "Wed, 25 Mar 2026 10:30:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert envelope.mail_from == "cal@example.com"
    assert envelope.rcpt_tos == [f"{name}@example.com" for name in ("ann", "bob", "carl", "dora")]
    assert message.get_content().strip() == "How are you?"


def test_message_id_is_that_of_the_step(do):
    with running() as box:
        ids = [do(box.port, PLAIN, key=key)["message_id"] for key in ("run-1", "run-1", "run-2", "", "")]
    assert [str(message["Message-ID"]) for message in box.messages] == ids
    assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", ids[0])
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.parametrize("text", [*TEXTS, "a\r\nBcc: eve@example.com", "=?utf-8?q?a=0D=0ABcc:_eve=40example.com?="])
def test_what_a_visitor_wrote_is_shown_and_nothing_else(do, text):
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    with running() as box:
        said = {"html": "<p>{said}</p>", "values": {"said": text}}
        do(box.port, PLAIN, subject=f"Chat: {text}.", text=f"{text}\n.\n.x", **said)
    [message], [envelope] = box.messages, box.envelopes
    assert {*message.keys()} == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "MIME-Version",
    }  # fmt: skip
    assert envelope.rcpt_tos == ["ann@example.com"]
    line = " ".join(re.sub("[\x00-\x1f\x7f\u2028]", " ", f"Chat: {whole}.").split())
    assert str(make_header(decode_header(envelope_header(envelope.content, "Subject")))) == line
    plain, html = message.iter_parts()
    assert text_of(plain) == f"{whole}\n.\n.x\n".replace("\r\n", "\n")
    shown = text_of(html)
    assert shown.count("<") == 2 + shown.count("<br>")


def text_of(part: Any) -> str:
    return part.get_content().replace("\r\n", "\n")


def envelope_header(content: bytes, name: str) -> str:
    """As it stands there, unfolded."""
    found = re.search(rf"^{name}: ([^\r\n]*(?:\r\n [^\r\n]*)*)", content.decode(), re.MULTILINE)
    assert found
    return found[1].replace("\r\n", "")


def test_long_subject_is_cut_and_a_long_line_of_text_is_not(do):
    with running() as box:
        do(box.port, PLAIN, subject="ä" * 301, text="x" * 100_000)
    assert str(box.messages[0]["Subject"]) == "ä" * 299 + "…"
    assert box.messages[0].get_content().strip() == "x" * 100_000
    assert max(map(len, box.envelopes[0].content.splitlines())) <= 78


def test_html_keeps_the_lines_of_a_visitor_and_escapes_the_rest(do):
    said = {"name": '<a href="x">', "said": "a & b\n<script>"}
    with running() as box:
        do(box.port, PLAIN, html="<style>p {color: red}</style><b>{name}</b><p>{said}</p>", values=said)
    html = text_of(box.messages[0].get_payload(1))
    assert html.endswith("<b>&lt;a href=&quot;x&quot;&gt;</b><p>a &amp; b<br>\n&lt;script&gt;</p>\n")
    assert html.startswith("<style>p {color: red}</style>")


@pytest.mark.parametrize(
    "html",
    ['<a href="{said}">x</a>', "<b {said}>",
     "<style>{said}</style>", "<script>{said}</script>", "<!-- {said} -->", "<{said}>",
     "<p>{said}</p><a href='{said}'>", "<a href={said}", "<script/>{said}", "<style/>{said}"],
)  # fmt: skip
def test_place_that_is_not_in_text_is_refused(do, html):
    failing(
        do,
        InputError,
        r"html has (\{said\} inside a tag|a < that begins no tag)",
        1,
        PLAIN,
        html=html,
        values={"said": "x"},
    )


def test_very_many_tags_that_are_not_closed_are_found_at_once():
    assert "not closed" in find_fault("<a " * 1_000_000)


def test_template_is_written_out_in_a_flow_and_checked_there(built_in):
    def check(html: str) -> str:
        text = (
            "flow: f\ntrigger: {uses: chatforge.new_lead}\nsteps:\n- id: mail\n  uses: email.send\n"
            f"  connection: mail\n  with: {{to: a@example.com, subject: x, text: x, html: {json.dumps(html)}}}\n"
        )
        catalogue = replace(Adapter(built_in, load(Path(), environ={})).catalogue, connections={"mail": "email"})
        return " ".join(one.message for one in check_flow(text, "one.yaml", catalogue).problems)

    assert check("<b>{said}</b>") == ""
    assert "html has {said} inside a tag" in check("<a href='{said}'>")
    assert "html" in check("<b>${{ trigger.visitor_name }}</b>")


@pytest.mark.parametrize(
    ("input", "sentence"),
    [
        ({"html": "{a}"}, "html has {a}, but values has no 'a'"),
        ({"html": "x", "values": {"a": "x"}}, "values has 'a', but html has no {a}"),
        ({"values": {"a": "x"}}, "values is given, but there is no html"),
        ({"to": []}, "to is empty: expected an address"),
        ({"to": "ann"}, "to is 'ann': expected one address, such as ann@example.com"),
        ({"to": "a@example.com, eve@example.com"}, "to is 'a@example.com, eve@example.com': expected one address"),
        ({"to": "a@example.com\r\nBcc: eve@example.com"}, "expected one address"),
        ({"cc": ["<a@example.com>"]}, "cc is '<a@example.com>': expected"),
        ({"bcc": ["a@exa mple.com"]}, "bcc is 'a@exa mple.com': expected a domain"),
        ({"reply_to": "a@example..com"}, "reply_to is 'a@example..com': expected a domain"),
        ({"to": "=?utf-8?q?bob=40evil.example=3E?=@example.com"}, "expected one address"),
        ({"to": "a@[127.0.0.1]"}, "expected a domain"),
        ({"to": "\ud800@example.com"}, "expected one address"),
        ({"to": f"{'a' * 65}@example.com"}, "expected one address"),
        ({"to": f"a@{'b.' * 130}com"}, "at most 254 bytes"),
        ({"to": "a@\u00ad.example"}, "expected a domain"),
        ({"to": "a\u2060@example.com"}, "expected one address"),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(do, input, sentence):
    error = failing(do, InputError, re.escape(sentence), 1, PLAIN, **input)
    assert error.processed == "no"


def test_domain_of_an_address_may_have_any_letters(do):
    with running() as box:
        do(box.port, PLAIN, to="Ann@MÜLLER.example")
    assert box.envelopes[0].rcpt_tos == ["Ann@xn--mller-kva.example"]


def test_address_with_letters_before_the_at_needs_a_server_that_takes_it(do):
    with running(enable_SMTPUTF8=True) as box:
        do(box.port, PLAIN, to="jörg@example.com")
    assert box.envelopes[0].rcpt_tos == ["jörg@example.com"]
    with running() as box:
        failing(do, RejectedError, "^to: .* takes only addresses with ASCII", box.port, PLAIN, to="jörg@example.com")


# The way to the server


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_login_goes_through_tls(do, tls, security):
    values = {
        "host": "localhost",
        "networks": ["127.0.0.0/8", "::1/128"],
        "ca": {"file": "ca.pem"},
        "security": security,
    }
    implicit = security == "tls"
    with running(tls, implicit=implicit, login=True, auth_require_tls=not implicit) as box:
        do(box.port, values | LOGIN)
        checked = do(box.port, values | LOGIN, "check_connection")
    assert (len(box.envelopes), box.logins) == (1, ["PLAIN", "PLAIN"])
    assert checked["logged_in"]
    assert checked["server"].startswith("mail.example.com")


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    "values", [{}, {"host": "127.0.0.1", "ca": {"file": "ca.pem"}}], ids=["unknown", "another name"]
)
def test_certificate_that_is_not_trusted_gets_no_password(do, tls, security, values):
    values = LOCAL | {"security": security} | values
    with running(tls, implicit=security == "tls", login=True) as box:
        error = failing(do, NetworkError, "its TLS certificate is not trusted", box.port, values | LOGIN)
    assert (error.processed, error.transient, box.logins) == ("no", False, [])


def test_server_without_starttls_gets_no_password(do):
    values = {**PLAIN, "security": "starttls"}
    with answering({}) as script:
        failing(do, NetworkError, "offers no STARTTLS", script.port, values | LOGIN)
    assert [line.partition(" ")[0] for line in script.said] == ["EHLO"]


def test_password_that_is_wrong_is_tried_once_and_never_shown(do):
    with running(login=True, auth_require_tls=False) as box:
        values = {**PLAIN, **LOGIN, "user": "eve"}
        error = failing(
            do, AuthenticationError, r"does not accept the login \(535 5.7.8\); check user", box.port, values
        )
    assert (error.processed, error.transient, box.logins) == ("no", False, ["PLAIN"])
    with answering({"AUTH": f"535 5.7.8 {PASSWORD[:12]} is wrong"}) as script:
        error = failing(do, AuthenticationError, "does not accept", script.port, PLAIN | LOGIN)
    assert PASSWORD[:12] not in str(error)


def test_server_that_takes_no_password_says_what_it_takes(do):
    with answering({"EHLO": "250-x\r\n250 AUTH XOAUTH2"}) as script:
        failing(do, AuthenticationError, "takes no password; it offers", script.port, PLAIN | LOGIN)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"networks": []},
            "not on the public internet; where it is yours, write in the connection: networks: ",
        ),
        ({"host": "localhost", "networks": ["::1/128"]}, "127.0.0.1 is not on the public internet"),
        ({"host": "nowhere.invalid"}, "its name cannot be resolved"),
        ({}, "connection refused"),
    ],
)
def test_address_that_is_not_allowed_or_not_there_is_not_reached(do, values, words):
    values = {**PLAIN, **values}
    if values["host"] == "nowhere.invalid":
        values["security"] = "tls"
    error = failing(do, NetworkError, f"cannot reach .*{words}", 1, values)
    assert error.processed == "no"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"security": "none", "host": "smtp.example.com"}, "security is none, and the server is another machine"),
        ({"user": "cal"}, "give both user and password, or none of them"),
        ({"from": "cal"}, "from: expected one address, such as cal@example.com|from: expected one address"),
        ({"from": "jörg@example.com"}, "expected an address with ASCII before its @"),
        ({"host": "smtp example"}, "host: expected a domain"),
        ({"ca": {"env": "SMTP_PASSWORD"}}, "`ca` of the connection is no PEM"),
    ],
)
def test_connection_that_cannot_be_used_is_named(do, values, sentence):
    with pytest.raises(SettingsError, match=sentence):
        do(1, {"host": "127.0.0.1", **values})


def test_unprotected_connection_to_another_machine_has_to_be_asked_for(do):
    failing(do, NetworkError, "cannot be resolved", 1, {"host": "x.invalid", "security": "none", "insecure": True})


# What the server says


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("way", [CLOSE, SILENCE])
def test_break_before_the_message_is_sent_is_not_processed(do, verb, way):
    with answering({verb: way}) as script:
        error = failing(do, NetworkError, "127.0.0.1:", script.port, {**PLAIN, **LOGIN, "timeout": 0.3})
    assert (error.processed, error.transient) == ("no", True)


@pytest.mark.parametrize(("way", "words"), [(CLOSE, "closed or broke"), (SILENCE, "did not answer in time")])
def test_break_after_the_message_was_sent_is_unknown(do, way, words):
    with answering({".": way}) as script:
        error = failing(do, NetworkError, f"{words}.*may have taken", script.port, {**PLAIN, "timeout": 0.3})
    assert (error.processed, error.transient) == ("unknown", True)


def test_nonsense_after_the_message_was_sent_is_unknown(do):
    with answering({".": "well"}) as script:
        assert failing(do, OutputError, "does not answer as", script.port, PLAIN).processed == "unknown"
    with answering({"GREETING": "HTTP/1.1 400 Bad Request"}) as script:
        assert failing(do, OutputError, "does not answer as", script.port, PLAIN).processed == "no"


@pytest.mark.parametrize("way", [CLOSE, "500 what"])
def test_message_that_was_taken_is_sent_however_the_server_leaves(do, way):
    with answering({"QUIT": way}) as script:
        assert do(script.port, PLAIN)["reply"] == "queued"


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("code", [421, 450, 451, 452])
def test_reply_that_may_pass_is_tried_later(do, verb, code):
    replies = {verb: f"{code} 4.7.1 later"} | ({"HELO": f"{code} later"} if verb == "EHLO" else {})
    with answering(replies) as script:
        error = failing(do, RateLimitError, "wants to be asked later", script.port, PLAIN | LOGIN)
    assert (error.processed, error.transient, error.retry_after) == ("no", True, 120)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("450 4.7.1 Greylisted, try again in 300 seconds", 300),
        ("450 4.2.0 Greylisting in action, please come back in 5 minutes", 300),
        ("451 try again in 999999 hours", 86400),
    ],
)
def test_server_says_when_to_come_back(do, text, seconds):
    with answering({"RCPT": text}) as script:
        error = failing(do, RateLimitError, "later", script.port, PLAIN)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("verb", "reply", "error", "words"),
    [
        ("GREETING", "554 5.7.1 your address is blocked", ForbiddenError, "the connection: .*your address is blocked"),
        ("AUTH", "454 4.7.0 temporary failure", ServerError, "454"),
        ("MAIL", "530 5.7.0 log in first", AuthenticationError, "530"),
        ("MAIL", "553 5.7.1 not your address", ForbiddenError, "from 'cal@example.com'"),
        ("MAIL", "552 5.3.4 too big", RejectedError, "text: the message is too large"),
        ("RCPT", "550 5.1.1 no such user", NotFoundError, "to 'ann@example.com': .*no such user"),
        ("RCPT", "550 relaying denied", ForbiddenError, "to 'ann@example.com': .*relaying denied"),
        ("RCPT", "554 5.7.1 not from here", ForbiddenError, "to 'ann@example.com'"),
        ("RCPT", "552 5.2.2 mailbox full", RejectedError, "to 'ann@example.com': .*mailbox full"),
        ("DATA", "554 no valid recipients", RejectedError, "text: "),
        (".", "552 5.3.4 too big", RejectedError, "text: the message is too large"),
        (".", "554 5.6.0 looks like spam", RejectedError, "text: .*looks like spam"),
        (".", "550 5.7.1 policy", ForbiddenError, "text: .*policy"),
    ],
)
def test_refusal_is_final_and_names_the_field(do, verb, reply, error, words):
    with answering({verb: reply}) as script:
        raised = failing(do, error, words, script.port, PLAIN | LOGIN)
    assert (raised.processed, raised.transient) == ("no", error is ServerError)


def test_nobody_gets_the_message_where_one_recipient_is_refused(do):
    with running() as box:
        box.refused["bob@example.com"] = "550 5.1.1 unknown"
        everybody = {"to": ["ann@example.com"], "bcc": ["bob@example.com"]}
        failing(do, NotFoundError, "bcc 'bob@example.com'", box.port, PLAIN, **everybody)
        assert box.envelopes == []
        box.refused.clear()
        do(box.port, PLAIN, **everybody)
    assert len(box.envelopes) == 1


def test_message_that_is_larger_than_the_server_takes_is_not_sent(do):
    with running(data_size_limit=2000) as box:
        checked = do(box.port, PLAIN, "check_connection")
        assert (checked["largest"], checked["logged_in"]) == (2000, False)
        failing(do, RejectedError, "text: the message has .* takes 2000; shorten it", box.port, PLAIN, text="x" * 2000)
    assert box.envelopes == []


class TestEmail(PluginContract):
    plugin = "email"
    names = ("send", "check_connection")

    @pytest.fixture
    def service(self):
        with running() as box:
            yield Service(str(box.port))

    def connection_values(self, url: str, secret: SecretStr):
        return {"port": int(url), "from": "cal@example.com", **PLAIN}
