import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from connector.chatforge.models import Analytics, ListedAgents, OneAgent
from connector.chatforge.wire import (
    Answer,
    build_request,
    check_status,
    read_answer,
    require_success,
)
from connector.errors import (
    ActionError,
    AuthenticationError,
    InputError,
    NotFoundError,
    OutputError,
    PlanError,
    RateLimitError,
    RejectedError,
    ServerError,
)

NOW = datetime(2026, 3, 25, 14, 30, tzinfo=UTC)
KEY = "canary_0123456789"
PAGE = b"<!DOCTYPE html><html><head><TITLE>\n Just a moment&hellip;</TITLE></head><body>x</body></html>"


def refuse(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> ActionError:
    with pytest.raises(ActionError) as caught:
        check_status(Answer(status, headers or {}, body, KEY), NOW)
    assert caught.value.status == status
    return caught.value


def test_request_carries_action_parameters_and_escaped_body() -> None:
    body = {"conversation_id": "uuid", "content": "Grüße \ud83d \x00"}
    request = build_request("POST", "v1-message", agent_id="a b", body=body)
    assert (request.method, request.params) == ("POST", {"action": "v1-message", "agent_id": "a b"})
    assert request.headers == {"Content-Type": "application/json"}
    assert request.content is not None
    assert request.content.isascii()
    assert json.loads(request.content) == body


def test_request_without_body_has_no_content() -> None:
    request = build_request("GET", "v1-conversations", limit=50, offset=0)
    assert request.params == {"action": "v1-conversations", "limit": "50", "offset": "0"}
    assert (request.content, request.headers) == (None, {})


def test_parameter_that_a_url_cannot_carry_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"agent_id is 'a\\ud800', which a URL cannot carry"):
        build_request("GET", "v1-agent", agent_id="a\ud800")


@pytest.mark.parametrize(
    ("status", "kind", "processed", "transient", "step"),
    [
        (302, RejectedError, "no", False, "CHATFORGE_BASE_URL"),
        (400, RejectedError, "no", False, "correct the input"),
        (401, AuthenticationError, "no", False, "set CHATFORGE_API_KEY to a key from the ChatForge Dashboard → Int"),
        (403, PlanError, "no", False, "the key is good, but ChatForge requires the Enterprise plan"),
        (404, NotFoundError, "no", False, "check the ids"),
        (408, ServerError, "no", True, "try again"),
        (413, RejectedError, "no", False, "correct the input"),
        (425, ServerError, "no", True, "try again"),
        (429, RateLimitError, "no", True, "100 a minute"),
        (500, ServerError, "unknown", True, "look there before you repeat it"),
        (501, ServerError, "unknown", True, "look there before you repeat it"),
        (503, ServerError, "unknown", True, "look there before you repeat it"),
    ],
)
def test_status_decides_the_error_and_the_next_step(
    status: int, kind: type[ActionError], processed: str, transient: bool, step: str
) -> None:
    error = refuse(status)
    assert (type(error), error.processed, error.transient) == (kind, processed, transient)
    assert step in str(error)


@pytest.mark.parametrize(("body", "named"), [(b"Not Found", True), (b"", True), (b'{"error": "no agent"}', False)])
def test_404_that_is_not_json_may_be_a_wrong_address(body: bytes, named: bool) -> None:
    error = refuse(404, body)
    assert isinstance(error, NotFoundError)
    assert ("CHATFORGE_BASE_URL" in str(error)) is named


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_passes(status: int) -> None:
    check_status(Answer(status, {}, b""), NOW)


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        pytest.param(b'{"error": "agent_id required"}', "(400: 'agent_id required')", id="error"),
        pytest.param(b'{"error": {"message": "bad id", "code": 7}}', "(400: 'bad id')", id="nested"),
        pytest.param(b'{"message": "bad id"}', "(400: 'bad id')", id="message"),
        pytest.param(b'{"error": true, "message": "bad id"}', "(400: 'bad id')", id="flag-and-message"),
        pytest.param(b'{"error": "", "message": "bad id"}', "(400: 'bad id')", id="blank-error"),
        pytest.param(b'"bad id"', "(400: 'bad id')", id="json-text"),
        pytest.param(b'{"code": 7}', "(400: '{\"code\": 7}')", id="other-json"),
        pytest.param(b"bad\r\n\x1b[31m id\xe2\x80\xae", "(400: 'bad [31m id')", id="text-cleaned"),
        pytest.param(b"bad \xff", "(400: 'bad \ufffd')", id="not-utf-8"),
        pytest.param(b"[" * 100_000, "(400: '[[[", id="too-deep"),
        pytest.param(b"x" * 201, "(400: '" + "x" * 199 + "…')", id="too-long"),
        pytest.param(b" ", "(400, no reason given)", id="nothing"),
        pytest.param(PAGE, "(400, answered with an HTML page 'Just a moment…')", id="page"),
        pytest.param(
            b"\xef\xbb\xbf\n<p>Bad <b>Gateway</b></p>" + b"y" * 100,
            "(400, answered with an HTML page 'Bad Gateway " + "y" * 67 + "…')",
            id="page-without-title",
        ),
    ],
)
def test_error_quotes_what_came(body: bytes, quoted: str) -> None:
    assert quoted in str(refuse(400, body))


def test_redirect_to_an_unusable_address_is_named_in_one_line() -> None:
    assert "(302, to 'h t')" in str(refuse(302, b"", {"location": "h\x7f\tt"}))


def test_redirect_names_its_target() -> None:
    assert "(307, to 'https://h.example/x')" in str(refuse(307, b"moved", {"location": "https://h.example/x"}))


@pytest.mark.parametrize(
    ("status", "kind", "step"),
    [
        (401, AuthenticationError, "check CHATFORGE_BASE_URL, and what stands between"),
        (403, PlanError, "check CHATFORGE_BASE_URL, and what stands between"),
        (404, RejectedError, "check CHATFORGE_BASE_URL, and what stands between"),
        (429, RateLimitError, "100 a minute"),
        (502, ServerError, "look there before you repeat it"),
    ],
)
def test_page_instead_of_json_points_at_the_address(status: int, kind: type[ActionError], step: str) -> None:
    error = refuse(status, PAGE)
    assert type(error) is kind
    assert step in str(error)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (401, f'{{"error": "unknown key {KEY}"}}', {}),
        (401, f"<title>{KEY}</title>", {}),
        (302, "", {"location": f"https://h.example/{KEY}"}),
        (400, "x" * 195 + KEY, {}),
        (400, " " * 19_990 + KEY, {}),
    ],
    ids=["message", "page", "location", "cut", "at the end of what is read"],
)
def test_key_that_the_answer_repeats_is_hidden(status: int, body: str, headers: dict[str, str]) -> None:
    assert KEY[:5] not in str(refuse(status, body.encode(), headers))


@pytest.mark.parametrize("secret", ["", "error"])
def test_secret_too_short_to_hide_changes_nothing(secret: str) -> None:
    with pytest.raises(RejectedError, match=r"\(400: 'an error'\)"):
        check_status(Answer(400, {}, b'{"error": "an error"}', secret), NOW)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_retry_after_is_kept(status: int) -> None:
    assert refuse(status, headers={"retry-after": "7"}).retry_after == 7.0


def read(body: bytes, secret: str = "") -> Any:
    return read_answer(Answer(200, {}, body, secret), ListedAgents)


def test_request_that_only_read_may_be_repeated() -> None:
    with pytest.raises(ServerError, match=r"\(500, .*; try again$"):
        check_status(Answer(500, {}, b"", was_read=True), NOW)
    with pytest.raises(OutputError, match=r"reports an error .*; try again$"):
        read_answer(Answer(200, {}, b'{"error": "x"}', was_read=True), ListedAgents)


def test_answer_with_lone_surrogates_is_read() -> None:
    assert read(b'{"agents": [], "a\\ud83d": 1}').model_extra == {"a\ufffd": 1}
    assert read(b'{"agents": [{"id": "a", "name": "\\ud83d"}]}').agents[0].name == "\ud83d"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(PAGE, "got an HTML page 'Just a moment…' (status 200); check CHATFORGE_BASE_URL", id="page"),
        pytest.param(b"", "expected JSON from ChatForge, got an empty answer (status 200)", id="nothing"),
        pytest.param(b"ok", "expected JSON from ChatForge, got 'ok'", id="text"),
        pytest.param(b'{"agents": [NaN]}', "expected JSON", id="nan"),
        pytest.param(b"[" * 100_000, "expected JSON", id="too-deep"),
        pytest.param(b"\xff\xfe\xfd", "expected JSON", id="not-utf-8"),
        pytest.param(b"9" * 5000, "expected JSON", id="huge-number"),
        pytest.param(b"[]", "does not fit: input should be a valid dictionary", id="list"),
        pytest.param(b"{}", "does not fit: agents is missing", id="missing"),
        pytest.param(
            b'{"agents": [{"id": "a"}, {"id": "b", "active": "yes"}]}',
            "agents.1.active: input should be a valid boolean, not 'yes'",
            id="wrong-type",
        ),
    ],
)
def test_unfit_answer_is_an_output_error_of_unknown_effect(body: bytes, sentence: str) -> None:
    with pytest.raises(OutputError) as caught:
        read(body)
    assert sentence in str(caught.value)
    assert (caught.value.processed, caught.value.transient) == ("unknown", False)


REPORTED = [
    pytest.param(b'{"error": "no such agent"}', "status 200: 'no such agent'; it may have carried out", id="text"),
    pytest.param(b'{"error": {"message": "no such agent"}}', "status 200: 'no such agent'", id="nested"),
    pytest.param(b'{"error": true, "message": "no such agent"}', "status 200: 'no such agent'", id="flag"),
    pytest.param(b'{"error": "\\u0007"}', "status 200: no reason given", id="nothing-to-show"),
    pytest.param(f'{{"error": "bad key {KEY}"}}'.encode(), "'bad key [key]'", id="key"),
]


@pytest.mark.parametrize(("body", "sentence"), REPORTED)
@pytest.mark.parametrize("model", [ListedAgents, OneAgent, Analytics, None], ids=lambda model: str(model))
def test_error_in_a_successful_answer_is_an_output_error_of_unknown_effect(
    model: type[BaseModel] | None, body: bytes, sentence: str
) -> None:
    answer = Answer(200, {}, body, KEY)
    with pytest.raises(OutputError) as caught:
        read_answer(answer, model) if model else require_success(answer)
    assert sentence in str(caught.value)
    assert (caught.value.processed, caught.value.status) == ("unknown", 200)


def test_error_beside_fields_that_are_null_is_reported() -> None:
    with pytest.raises(OutputError, match="'no such agent'"):
        read_answer(Answer(200, {}, b'{"error": "no such agent", "month": null}'), Analytics)


@pytest.mark.parametrize(
    ("body", "model"),
    [
        pytest.param(b'{"error": "old", "agents": []}', ListedAgents, id="list"),
        pytest.param(b'{"error": "old", "id": "a"}', OneAgent, id="bare-agent"),
        pytest.param(b'{"error": "old", "month": "2026-03"}', Analytics, id="one-field"),
        pytest.param(b'{"error": null}', Analytics, id="no-error"),
    ],
)
def test_answer_that_fits_is_read_whatever_else_it_says(body: bytes, model: type[BaseModel]) -> None:
    assert isinstance(read_answer(Answer(200, {}, body), model), model)


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[" * 100_000, b'{"success": true, "error": null}', b'["error"]'], ids=range(5)
)
def test_answer_of_any_form_is_a_success_where_it_reports_no_error(body: bytes) -> None:
    require_success(Answer(200, {}, body))


def test_page_is_no_success() -> None:
    with pytest.raises(OutputError, match="got an HTML page 'Just a moment…'"):
        require_success(Answer(200, {}, PAGE))


@pytest.mark.parametrize("body", [f"key {KEY}", f'{{"agents": "{KEY}"}}'], ids=["text", "json"])
def test_key_that_an_unfit_answer_repeats_is_hidden(body: str) -> None:
    with pytest.raises(OutputError) as caught:
        read(body.encode(), KEY)
    assert KEY not in str(caught.value)


def test_answer_hides_its_secret_in_repr() -> None:
    assert KEY not in repr(Answer(200, {}, b"", KEY))
