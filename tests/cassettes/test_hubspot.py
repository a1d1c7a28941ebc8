import asyncio
from urllib.parse import unquote

import hubspot
import pytest
import vcr
from replays import read_json

from connector.errors import ActionError

JOHN = {
    "id": "101",
    "email": "john@example.com",
    "first_name": "John",
    "last_name": "Smith",
    "phone": None,
    "properties": {"email": "john@example.com", "firstname": "John", "lastname": "Smith"},
}
OUTPUTS = {
    "upsert_contact": {"id": "101", "created": True},
    "find_contact": {"contact": JOHN},
    "add_note": {"id": "103"},
    "create_deal": {"id": "103"},
    "list_contacts": {"contacts": [JOHN], "next_after": "1"},
}
ERRORS = {
    "refused_contact": ("rejected", "email: Email address john is invalid"),
    "daily_limit": ("rate_limit", "HubSpot takes no more requests today (429: DAILY)"),
    "missing_scope": ("permission", "give the private app the scope"),
}


@pytest.mark.parametrize("name", hubspot.CASES)
def test_cassette_gives_what_its_answers_say(name, engine, committed, built_in, attempts):
    player = vcr.VCR(record_mode="none", match_on=("method", "target", "json"))
    player.register_matcher("target", lambda sent, recorded: unquote(sent.uri) == unquote(recorded.uri))
    player.register_matcher("json", lambda sent, recorded: read_json(sent.body) == read_json(recorded.body))
    with player.use_cassette(str(committed / hubspot.FOLDER / f"{name}.yaml")) as tape:
        done = asyncio.run(hubspot.perform(name, hubspot.adapter(built_in)))
        assert tape.all_played
    if not isinstance(done, ActionError):
        assert done == OUTPUTS[name]
        return
    kind, words = ERRORS[name]
    assert done.kind == kind, done
    assert words in str(done)


def test_every_action_has_a_success(built_in):
    recorded = {f"hubspot.{action}" for name, (action, _) in hubspot.CASES.items() if name in OUTPUTS}
    assert recorded == {name for name in built_in.actions if name.startswith("hubspot.")}
