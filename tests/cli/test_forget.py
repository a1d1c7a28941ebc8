"""A person is erased from the files, beside a server, and nothing of the lead starts a flow again."""

import json
from pathlib import Path

import httpx

NAME, PHONE = "Ännchen Thärau", "+49 170 1234567"
ANN = {"visitor_name": NAME, "visitor_phone": PHONE, "messages": [f"I am {NAME}"]}
BOB = {"visitor_name": "Bob Ross", "visitor_phone": "+1 555 0100"}
FLOW = """\
trigger:
  uses: chatforge.lead_captured
  with: {every: 10s, wait_for_lead: 10m}
  if: trigger.visitor_email != null
dedupe: {key: trigger.visitor_email, for: 1d}
steps:
  - id: contact
    uses: contacts.upsert
    with:
      email: ${{ trigger.visitor_email }}
      name: ${{ trigger.visitor_name }}
      phone: ${{ trigger.visitor_phone }}
      note: Wrote as ${{ trigger.visitor_name ?? 'nobody' }}
"""
ASKING = """\
trigger: {uses: chatforge.event, with: {events: [lead.captured]}}
steps:
  - id: sure
    approve: {title: May somebody be greeted?}
"""


def files_with(folder: Path, *texts: str) -> list[str]:
    """The files that hold one of the texts, as it is or as JSON has it."""
    forms = [form.lower() for text in texts for form in (text.encode(), json.dumps(text)[1:-1].encode())]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path.name for path in files if any(form in path.read_bytes().lower() for form in forms)]


def all_ended(scene, number: int) -> bool:
    runs = scene.runs()
    return len(runs) == number and all(run.finished_at for run in runs)


def polled_at(scene) -> str:
    rows = scene.read(lambda journal: journal._connection.execute("SELECT max(polled_at) AS at FROM polls").fetchall())
    return rows[0]["at"] or ""


def test_nothing_is_left_of_a_person_and_nothing_starts_again(scene):
    scene.write_flow(FLOW)
    with scene.serving():
        story = scene.visit("Ann@Example.com", **ANN)
        scene.visit("bob@example.com", **BOB)
        scene.wait_for(lambda: all_ended(scene, 2))
        assert files_with(scene.folder, "ann@example.com", NAME, PHONE)
        before = scene("runs", "list", "--text", "bob@example.com", "--json").out

        dry = json.loads(scene("forget", "ann@example.com", "--dry-run", "--json").out)
        assert (dry["erased"], dry["contacts"]) == (False, {"contacts": 1, "notes": 1, "answers": 1})
        assert len(scene.runs()) == 2

        result = scene("forget", "ann@example.com", "--yes")
        assert (result.code, result.error) == (0, "")
        assert "1 run, 1 step" in result.out
        assert "1 contact, 1 note, 1 answer" in result.out
        assert files_with(scene.folder, "ann@example.com", NAME, PHONE, "1234567") == []
        assert scene("runs", "list", "--text", "bob@example.com", "--json").out == before
        assert [one["email"] for one in json.loads(scene("call", "contacts.list").out)["contacts"]] == [
            "bob@example.com"
        ]

        again = f"{scene.sandbox.control_url}/deliveries/{story['delivery_id']}/redeliver"
        assert httpx.post(again).status_code < 300
        last = polled_at(scene)
        scene.wait_for(lambda: polled_at(scene) > last)
        assert len(scene.runs()) == 1
    assert files_with(scene.folder, "ann@example.com", NAME, PHONE) == []


def test_run_that_goes_on_is_not_erased_unless_it_may_be_cancelled(scene):
    scene.write_flow(ASKING, "asking")
    with scene.serving():
        scene.visit("ann@example.com", **ANN)
        [run] = scene.wait_for(lambda: [one for one in scene.runs() if one.status == "waiting"])
        refused = scene("forget", "ann@example.com", "--yes")
        assert refused.code == 1
        assert f"{run.id} is waiting; end runs with chatforge runs cancel RUN, or give --cancel" in refused.error
        assert files_with(scene.folder, NAME)
        assert scene("forget", "ann@example.com", "--yes", "--cancel").code == 0
        assert files_with(scene.folder, NAME, "ann@example.com") == []


def test_runs_of_a_flow_that_names_the_address_stay_and_the_flow_is_told(scene):
    scene.write_flow(ASKING.replace("somebody", "ann@example.com"), "asking")
    with scene.serving():
        scene.visit("bob@example.com", **BOB)
        scene.wait_for(lambda: [one for one in scene.runs() if one.status == "waiting"])
        result = scene("forget", "ann@example.com", "--yes", "--json")
    assert result.code == 1
    [told] = json.loads(result.out)["left"]
    assert told.startswith("the text of a flow, so that its runs mention it, whoever they are about")
    assert [run.status for run in scene.runs()] == ["waiting"]


def test_what_is_no_address_is_refused(scene):
    result = scene("forget", "ann")
    assert (result.code, result.error) == (
        2,
        "error: EMAIL is 'ann': expected an e-mail address, such as ann@example.com\n",
    )
