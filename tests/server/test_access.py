from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.server.access import Access, Asking, DeniedError

NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
NEAR = Asking("GET", "127.0.0.1", "http", {"host": "localhost:8080"}, None)
FAR = Asking("GET", "192.0.2.7", "http", {"host": "flows.example.com"}, None)


def make(password: str | None = "open sesame") -> Access:  # noqa: S107
    return Access(password, frozenset({"flows.example.com"}))


def test_person_at_this_machine_needs_no_login():
    for host in ("localhost:8080", "LOCALHOST", "127.0.0.1:8080", "[::1]:8080", "[::1]"):
        assert make(None).admit(replace(NEAR, headers={"host": host}), NOW).token


def test_password_is_asked_for_at_this_machine_too():
    with pytest.raises(DeniedError) as denied:
        make().admit(NEAR, NOW)
    assert (denied.value.status, denied.value.login) == (401, True)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client": "192.0.2.7"}, 401),
        ({"client": ""}, 401),
        ({"client": "not an address"}, 401),
        ({"headers": {"host": "flows.example.com"}}, 401),
        ({"headers": {"host": "localhost", "x-forwarded-for": "192.0.2.7"}}, 401),
        ({"headers": {"host": "localhost", "forwarded": "for=192.0.2.7"}}, 401),
        ({"headers": {"host": "localhost", "via": "1.1 proxy"}}, 401),
        ({"headers": {"host": "localhost", "x-forwarded-proto": "https"}}, 401),
        ({"headers": {"host": "localhost", "cf-connecting-ip": "192.0.2.7"}}, 401),
        ({"headers": {"host": "evil.example.com"}}, 421),
        ({"headers": {"host": "localhost.evil.example.com"}}, 421),
        ({"headers": {"host": ""}}, 421),
        ({"headers": {}}, 421),
    ],
    ids=str,
)
def test_others_are_asked_to_log_in_or_turned_away(change, status):
    with pytest.raises(DeniedError) as denied:
        make(None).admit(replace(NEAR, **change), NOW)
    assert denied.value.status == status
    assert denied.value.login == (status == 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example.com"},
        {"origin": "null"},
        {"origin": "http://localhost:8081"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://localhost:8080"},
    ],
    ids=str,
)
def test_change_that_another_site_asks_for_is_refused(headers):
    asking = replace(NEAR, method="POST", headers={"host": "localhost:8080", **headers})
    with pytest.raises(DeniedError, match="another site"):
        make(None).admit(asking, NOW)
    own = {"host": "localhost:8080", "origin": "http://localhost:8080", "sec-fetch-site": "same-origin"}
    assert make(None).admit(replace(asking, headers=own), NOW)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_link_to_a_page_but_embed_nothing(site):
    headers = {"host": "localhost:8080", "sec-fetch-site": site}
    for dest in ("image", "iframe", "empty", "script"):
        with pytest.raises(DeniedError, match="another site"):
            make(None).admit(replace(NEAR, headers={**headers, "sec-fetch-dest": dest}), NOW)
    assert make(None).admit(replace(NEAR, headers={**headers, "sec-fetch-dest": "document"}), NOW)


def test_login_lasts_and_ends():
    access = make()
    assert access.log_in(FAR, "wrong", NOW) is None
    session = access.log_in(FAR, "open sesame", NOW)
    known = replace(FAR, session=session)
    visitor = access.admit(known, NOW + timedelta(hours=11))
    access.require_token(visitor, visitor.token)
    for later, asking in ((NOW + timedelta(hours=13), known), (NOW, replace(FAR, session="other"))):
        with pytest.raises(DeniedError):
            access.admit(asking, later)
    access.log_out(session)
    with pytest.raises(DeniedError):
        access.admit(known, NOW)


def test_program_with_the_password_needs_no_token():
    asking = replace(FAR, method="POST", headers={**FAR.headers, "authorization": "Bearer open sesame"})
    access = make()
    access.require_token(access.admit(asking, NOW), None)
    for wrong in ("Bearer sesame", "Basic open sesame", "open sesame", "Bearer "):
        with pytest.raises(DeniedError):
            access.admit(replace(asking, headers={**FAR.headers, "authorization": wrong}), NOW)
    with pytest.raises(DeniedError):
        make(None).admit(replace(asking, headers={**FAR.headers, "authorization": "Bearer "}), NOW)


def test_password_of_a_program_may_have_any_character():
    bearer = "Bearer pässwörd ✓".encode().decode("latin-1")  # as it comes over HTTP
    asking = replace(FAR, headers={**FAR.headers, "authorization": bearer})
    assert make("pässwörd ✓").admit(asking, NOW)


def test_password_cannot_be_guessed_quickly():
    access = make()
    session = access.log_in(FAR, "open sesame", NOW)
    for number in range(10):
        assert access.log_in(FAR, f"guess {number}", NOW) is None
    with pytest.raises(DeniedError) as denied:
        access.log_in(FAR, "open sesame", NOW + timedelta(seconds=59))
    assert denied.value.status == 429
    assert access.admit(replace(FAR, session=session), NOW)
    assert access.log_in(FAR, "open sesame", NOW + timedelta(seconds=61))


def test_nobody_logs_in_without_a_password_that_is_set():
    for password in (None, ""):
        assert make(password).log_in(FAR, "", NOW) is None


def test_change_needs_the_token_of_its_own_visitor():
    access = make()
    first, second = (access.admit(replace(FAR, session=access.log_in(FAR, "open sesame", NOW)), NOW) for _ in range(2))
    assert first.token != second.token
    for given in (None, "", first.token, "é"):
        with pytest.raises(DeniedError, match="load the page again"):
            access.require_token(second, given)
