import base64
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from connector.chatforge.webhooks import WebhookError, parse, sign, verify

FILE = json.loads(Path(__file__).with_name("webhook_signatures.json").read_text(encoding="utf-8"))
VECTORS = FILE["vectors"]
UTF_8 = [vector for vector in VECTORS if vector["raw_is_utf8"]]
by_name = itemgetter("name")
SECRET, OLD_SECRET = FILE["secret"], FILE["old_secret"]
NAME = "X-ChatForge-Signature"
BODY = b'{"event":"lead.captured","data":{}}'
GOOD = sign(BODY, SECRET)
EVENT = {"event": "lead.captured", "agent_id": "abc123", "timestamp": "2026-03-25T10:30:00Z", "data": {"score": 1.0}}


def raw(vector: dict[str, Any]) -> bytes:
    return base64.b64decode(vector["raw_base64"])


@pytest.mark.parametrize("vector", UTF_8, ids=by_name)
def test_signature_of_the_body_gives_the_body(vector: dict[str, Any]) -> None:
    assert sign(raw(vector), SECRET) == vector["hmac_raw"]
    assert verify({NAME: vector["hmac_raw"]}, raw(vector), [SECRET]) == vector["raw_text"]


@pytest.mark.parametrize("vector", [v for v in UTF_8 if v["stringified"]], ids=by_name)
def test_signature_of_the_stringified_body_gives_that_text(vector: dict[str, Any]) -> None:
    assert sign(vector["stringified"], SECRET) == vector["hmac_stringified"]
    assert verify({NAME: vector["hmac_stringified"]}, raw(vector), [SECRET]) == vector["stringified"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if not v["raw_is_utf8"]], ids=by_name)
def test_body_that_is_not_utf_8_is_refused_under_either_signature(vector: dict[str, Any]) -> None:
    with refused(400):
        verify({NAME: vector["hmac_raw"]}, raw(vector), [SECRET])
    with refused(401):
        verify({NAME: vector["hmac_stringified"]}, raw(vector), [SECRET])


@pytest.mark.parametrize("secrets", [[SECRET, OLD_SECRET], [OLD_SECRET, SECRET]], ids=["new_first", "old_first"])
@pytest.mark.parametrize("signing", [SECRET, OLD_SECRET], ids=["new", "old"])
def test_two_live_secrets_are_both_accepted(secrets: list[str], signing: str) -> None:
    assert verify({NAME: sign(BODY, signing)}, BODY, secrets) == BODY.decode()
    assert verify({NAME: sign(BODY, signing)}, BODY + b" ", secrets) == BODY.decode()


@pytest.mark.parametrize("vector", UTF_8, ids=by_name)
def test_old_secret_is_accepted_until_its_end(vector: dict[str, Any]) -> None:
    headers = {NAME: vector["hmac_raw_old_secret"]}
    assert verify(headers, raw(vector), [SECRET, OLD_SECRET]) == vector["raw_text"]
    with refused(401):
        verify(headers, raw(vector), [SECRET])


def test_reserialized_body_is_refused_where_that_is_switched_off() -> None:
    assert verify({NAME: GOOD}, BODY, [SECRET], reserialized=False) == BODY.decode()
    with refused(401):
        verify({NAME: GOOD}, BODY + b" ", [SECRET], reserialized=False)


@pytest.mark.parametrize("secrets", [[], [""]], ids=["none", "empty"])
def test_delivery_without_a_configured_secret_is_to_come_again(secrets: list[str]) -> None:
    with refused(503, "CHATFORGE_WEBHOOK_SECRET"):
        verify({NAME: sign(BODY, "")}, BODY, secrets)


def test_empty_secret_beside_a_good_one_never_matches() -> None:
    with refused(401):
        verify({NAME: sign(BODY, "")}, BODY, ["", SECRET])


def test_secret_with_a_lone_surrogate_does_not_hinder_the_others() -> None:
    assert verify({NAME: GOOD}, BODY, ["\ud800", SECRET]) == BODY.decode()


def test_one_string_instead_of_a_list_of_secrets_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="list"):
        verify({NAME: sign(BODY, SECRET[0])}, BODY, SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        {NAME: GOOD},
        {NAME.lower(): GOOD},
        {NAME.upper(): GOOD},
        {NAME: GOOD.upper()},
        {NAME: f"sha256={GOOD}"},
        {NAME: GOOD, "Content-Encoding": "Identity"},
        {NAME: GOOD, "Content-Encoding": ""},
        {NAME: GOOD, "": "", 7: None, NAME.encode(): b"x"},
    ],
    ids=["plain", "lower", "upper", "upper_digits", "prefix", "identity", "no_encoding", "odd_names"],
)
def test_good_signature_in_any_spelling_is_accepted(headers: Any) -> None:
    assert verify(headers, BODY, [SECRET]) == BODY.decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="missing"),
        pytest.param({NAME: GOOD[:-1]}, 401, id="short"),
        pytest.param({NAME: GOOD + "0"}, 401, id="long"),
        pytest.param({NAME: "g" * 64}, 401, id="not_hexadecimal"),
        pytest.param({NAME: "٣" * 64}, 401, id="arabic_digits"),
        pytest.param({NAME: "é" + GOOD}, 401, id="not_ascii"),
        pytest.param({NAME: "\ud800" * 64}, 401, id="lone_surrogates"),
        pytest.param({NAME: f"sha1={GOOD}"}, 401, id="other_algorithm"),
        pytest.param({NAME: f"sha256=sha256={GOOD}"}, 401, id="prefix_twice"),
        pytest.param({NAME: GOOD + "\n"}, 401, id="line_end"),
        pytest.param({NAME: f"{GOOD},{GOOD}"}, 401, id="list"),
        pytest.param({NAME: None}, 401, id="none"),
        pytest.param({NAME: GOOD.encode()}, 401, id="bytes"),
        pytest.param({NAME: GOOD, NAME.lower(): GOOD}, 401, id="two_spellings"),
        pytest.param(Headers(raw=[(NAME.lower().encode(), GOOD.encode())] * 2), 401, id="twice"),
        pytest.param({NAME: "0" * 64}, 401, id="wrong"),
        pytest.param({NAME: GOOD, "content-encoding": "gzip"}, 415, id="gzip"),
        pytest.param({NAME: GOOD, "Content-Encoding": "identity, br"}, 415, id="encodings"),
        pytest.param({NAME: GOOD, "Content-Encoding": 7}, 415, id="odd_encoding"),
        pytest.param({NAME: GOOD, "Content-Encoding": "identity", "CONTENT-ENCODING": "br"}, 415, id="two_encodings"),
    ],
)
def test_hostile_headers_are_refused(headers: Any, status: int) -> None:
    with refused(status):
        verify(headers, BODY, [SECRET])


def test_secret_sent_as_the_signature_is_not_repeated() -> None:
    with pytest.raises(WebhookError) as refusal:
        verify({NAME: SECRET}, BODY, [SECRET])
    assert SECRET not in str(refusal.value)


def test_body_up_to_the_cap_is_accepted_and_one_byte_more_is_refused() -> None:
    largest = BODY.ljust(1_048_576)
    assert verify({NAME: sign(largest, SECRET)}, largest, [SECRET]) == largest.decode()
    with refused(413):
        verify({NAME: sign(largest + b" ", SECRET)}, largest + b" ", [SECRET])


def test_body_is_reserialized_up_to_256_kb() -> None:
    largest = BODY.ljust(256_000)
    assert verify({NAME: GOOD}, largest, [SECRET]) == BODY.decode()
    with refused(401):
        verify({NAME: GOOD}, largest + b" ", [SECRET])


def test_body_is_reserialized_up_to_64_levels() -> None:
    deepest, deeper = "[" * 64 + "]" * 64, "[" * 65 + "]" * 65
    assert verify({NAME: sign(deepest, SECRET)}, b" " + deepest.encode(), [SECRET]) == deepest
    with refused(401):
        verify({NAME: sign(deeper, SECRET)}, b" " + deeper.encode(), [SECRET])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy
EVENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(["event", "agent_id", "timestamp", "data"], JSON_VALUES))
BODIES = st.binary() | (JSON_VALUES | EVENTS).map(json.dumps).map(str.encode)
HEADER_NAMES = st.sampled_from([NAME, NAME.lower(), "Content-Encoding", "content-encoding"]) | st.text()
HEADERS: st.SearchStrategy[Any] = st.dictionaries(
    HEADER_NAMES, st.text() | st.from_regex(r"\A(sha256=)?[0-9a-f]{64}\Z") | st.none() | st.binary()
)


@unhurried
@given(HEADERS, BODIES, st.lists(st.text(st.characters(exclude_categories=()))))
def test_any_unsigned_delivery_is_refused_with_a_webhook_error(headers: Any, body: bytes, secrets: list[str]) -> None:
    with pytest.raises(WebhookError):
        verify(headers, body, secrets)


@unhurried
@given(BODIES)
def test_any_signed_delivery_is_an_event_or_a_bad_request(body: bytes) -> None:
    status = 202
    try:
        parse(verify({NAME: sign(body, SECRET)}, body, [SECRET]))
    except WebhookError as refusal:
        status = refusal.status
    assert status in (202, 400)


def test_event_is_read_from_the_documented_body() -> None:
    event = parse(json.dumps(EVENT))
    assert event.name == "lead.captured"
    assert event.occurred_at == datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
    assert event.payload == EVENT
    assert re.fullmatch("[0-9a-f]{64}", event.identity)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(pytest.param(v["raw_text"], "JSON", id=v["name"]) for v in VECTORS if v["parse_error"]),
        pytest.param('{"event":"a","data":NaN}', "NaN", id="nan"),
        pytest.param('{"event":"a","data":' + "[" * 64 + "]" * 64 + "}", "64 levels", id="deep"),
        pytest.param("[" * 100_000, "64 levels", id="very_deep"),
        pytest.param('["event"]', "object", id="list"),
        pytest.param("{}", "'event'", id="no_event"),
        pytest.param('{"event":""}', "'event'", id="empty_event"),
        pytest.param('{"event":["a"]}', "'event'", id="event_list"),
    ],
)
def test_text_that_is_not_an_event_is_refused(text: str, reason: str) -> None:
    with refused(400, reason):
        parse(text)


def test_least_event_has_a_name_only() -> None:
    event = parse('{"event":"agent.sneezed"}')
    assert (event.name, event.occurred_at, event.payload) == ("agent.sneezed", None, {"event": "agent.sneezed"})


@pytest.mark.parametrize(
    ("timestamp", "occurred_at"),
    [
        ("2026-03-25T10:30:00.250Z", datetime(2026, 3, 25, 10, 30, 0, 250_000, UTC)),
        ("2026-03-25T12:30:00+02:00", datetime(2026, 3, 25, 10, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-03\ud800-25", None),
        (1_774_434_600, None),
        (None, None),
    ],
    ids=["milliseconds", "offset", "first_year", "last_year", "word", "before_time", "surrogate", "number", "null"],
)
def test_odd_timestamp_never_refuses_an_event(timestamp: object, occurred_at: datetime | None) -> None:
    found = parse(json.dumps(EVENT | {"timestamp": timestamp})).occurred_at
    assert found == occurred_at
    assert found is None or found.tzinfo is UTC


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_timestamp_without_an_offset_is_utc_wherever_the_machine_stands(tokyo: None) -> None:
    found = parse('{"event":"a","timestamp":"2026-03-25T10:30:00"}').occurred_at
    assert found == datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


def test_integers_of_the_payload_stay_exact() -> None:
    assert parse('{"event":"a","id":9007199254740993}').payload["id"] == 9007199254740993


def test_reserialized_redelivery_has_the_identity_of_the_first_delivery() -> None:
    first = parse('{"event":"a","data":{"score":1,"2":"é"}}')
    assert parse('{ "event": "a", "data": {"2": "\\u00e9", "score": 1.0} }').identity == first.identity
    assert parse('{"event":"a","data":{"score":2,"2":"é"}}').identity != first.identity


def refused(status: int, reason: str | None = None) -> Any:
    return pytest.raises(WebhookError, match=reason, check=lambda error: error.status == status)
