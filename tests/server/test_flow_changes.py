"""Flow files that change while they are served."""

import httpx
import pytest
from server.test_pages import get

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign

PLAIN = """\
flow: {name}
trigger: {{uses: chatforge.event, with: {{events: [{event}]}}}}
steps:
  - id: note
    uses: contacts.upsert
    with: {{email: {email}}}
"""
EVERY_SECOND = "flow: tick\ntrigger: {uses: schedule, with: {every: 1s}}\nsteps:\n  - {id: halt, stop: done}\n"


def text(name: str, event: str = "lead.captured", email: str = "first@example.com") -> str:
    return PLAIN.format(name=name, event=event, email=email)


@pytest.fixture
def served(make_server, sandbox, tmp_path):
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "one.yaml").write_text(text("one"))
    return make_server(flows=folder).start("--port", "0")


def send(served, sandbox, event: str, number: int) -> list[str]:
    """The e-mails that flows noted for the event."""
    body = f'{{"event":"{event}","agent_id":"a","data":{{"number":{number}}}}}'
    answer = served.post(
        "/webhooks/chatforge", content=body, headers={SIGNATURE_HEADER: sign(body, sandbox.webhook_secret)}
    )
    starts = get(served, f"/api/events/{answer.json()['event_id']}").json()["event"]["starts"]
    ended = [served.ended(start["run_id"]).id for start in starts]
    return [get(served, f"/api/runs/{run}").json()["steps"][0]["input"]["email"] for run in ended]


def wait_for_log(served, words: str) -> None:
    served.wait_for(lambda: words in served.log())


def test_changed_new_and_removed_files_are_taken_over(served, sandbox):
    assert send(served, sandbox, "lead.captured", 1) == ["first@example.com"]
    one = served.flows / "one.yaml"
    one.write_text(text("one", email="second@example.com"))
    (served.flows / "two.yaml").write_text(text("two", "chat.ended", "two@example.com"))
    wait_for_log(served, "flow two: is served from now on")
    assert "flow one: its file was taken over" in served.log()
    assert send(served, sandbox, "lead.captured", 2) == ["second@example.com"]
    assert send(served, sandbox, "chat.ended", 3) == ["two@example.com"]
    one.unlink()
    wait_for_log(served, "flow one: its file is gone, so it starts nothing more")
    assert send(served, sandbox, "lead.captured", 4) == []
    (served.flows / "two.yaml").unlink()
    wait_for_log(served, "the flows go on as they are: there is no flow file")
    assert send(served, sandbox, "chat.ended", 5) == ["two@example.com"]


def test_broken_file_keeps_its_last_good_revision(served, sandbox):
    one = served.flows / "one.yaml"
    one.write_text(text("one", email="'${{ trigger.nothing }}'"))
    (served.flows / "new.yaml").write_text("flow: new\ntrigger: {uses: schedule, with: {every: 1h}}\nsteps: 3\n")
    wait_for_log(served, "one.yaml is not taken over, its last good revision is served: line 6: ")
    wait_for_log(served, "new.yaml is not taken over, nothing of it is served: line 3: ")
    assert [one["path"] for one in get(served, "/api/home").json()["troubles"]] == [
        "/flows/files/new.yaml#line-3",
        "/flows/one#line-6",
    ]
    assert send(served, sandbox, "lead.captured", 1) == ["first@example.com"]
    one.write_text(text("one", email="third@example.com"))
    wait_for_log(served, "flow one: its file was taken over")
    assert send(served, sandbox, "lead.captured", 2) == ["third@example.com"]


def test_flow_whose_connection_lacks_something_is_not_taken_over(served, sandbox):
    lacks = text("one").replace("uses: contacts.upsert", "uses: contacts.upsert\n    connection: nowhere")
    (served.flows / "one.yaml").write_text(lacks)
    wait_for_log(served, "one.yaml is not taken over, its last good revision is served: ")
    assert send(served, sandbox, "lead.captured", 1) == ["first@example.com"]


def test_run_that_waits_goes_on_as_it_began(served, sandbox):
    waits = text("one").replace("steps:\n", "steps:\n  - {id: pause, wait: 4s}\n")
    (served.flows / "one.yaml").write_text(waits)
    wait_for_log(served, "flow one: its file was taken over")
    body = '{"event":"lead.captured","agent_id":"a","data":{}}'
    headers = {SIGNATURE_HEADER: sign(body, sandbox.webhook_secret)}
    event = httpx.post(f"{served.address}/webhooks/chatforge", content=body, headers=headers).json()["event_id"]
    (served.flows / "one.yaml").write_text(text("one", email="later@example.com"))
    served.wait_for(lambda: served.log().count("flow one: its file was taken over") == 2)
    [start] = get(served, f"/api/events/{event}").json()["event"]["starts"]
    assert served.ended(start["run_id"]).status == "succeeded"
    assert get(served, f"/api/runs/{start['run_id']}").json()["steps"][1]["input"]["email"] == "first@example.com"


def test_the_clock_starts_a_flow_that_came_later(served):
    (served.flows / "tick.yaml").write_text(EVERY_SECOND)
    served.wait_for(lambda: [run for run in served.runs() if run.flow == "tick"])
    (served.flows / "tick.yaml").write_text(EVERY_SECOND.replace("flow: tick", "flow: tick\nenabled: false"))
    wait_for_log(served, "flow tick: its file was taken over")
    assert get(served, "/api/flows/tick").json()["flow"]["next_at"] is None
