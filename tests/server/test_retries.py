"""Runs that people let go on with the pages, one or many: each once."""

import re

import httpx
from server.test_pages import get, order_fault, texts, token, visit, wait_for_run


def fail(sandbox, name):
    order_fault(sandbox, "v1-message", status=400, body={"error": "closed"})
    return visit(sandbox, visitor_email=f"{name}@example.com")


def status_of(server, run):
    return get(server, f"/api/runs/{run}").json()["run"]["status"]


def test_many_runs_go_on_and_each_that_does_not_says_why(server, sandbox):
    stories = [fail(sandbox, "fred"), fail(sandbox, "flora")]
    server.wait_for(lambda: len(get(server, "/api/runs?status=failed").json()["runs"]) == 2)
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="dora@example.com")
    held = wait_for_run(server, "held")
    page = get(server, "/runs?status=failed").text
    boxes = re.findall(r'<input type="checkbox" name="runs" value="(run_\w+@\d+)"', page)
    assert len(boxes) == 2
    assert "checkbox" not in get(server, "/runs?status=succeeded").text
    form = {"token": token(server), "runs": [*boxes, boxes[0], f"{held['id']}@{held['epoch']}", "run_none", "run_a@x"]}
    answer = server.post("/runs/retry", data=form)
    assert answer.status_code == 303
    path = answer.headers["location"]
    assert "<h1>2 of 5 runs go on</h1>" in get(server, path).text
    shown = get(server, f"/api{path}").json()
    assert shown["going_on"] == 2
    assert [one["run"] for one in shown["retries"][:2]] == [one.split("@")[0] for one in boxes]
    refused = {one["run"]: one["refused"] for one in shown["retries"]}
    assert "nobody knows whether takeover took effect" in refused[held["id"]]
    assert refused["run_none"] == "there is no run 'run_none'"
    for box in boxes:
        run = box.partition("@")[0]
        server.wait_for(lambda run=run: status_of(server, run) == "succeeded")
        assert f"audit: /runs/{{id}}/retry '{run}' by a person at this machine" in server.log()
    for story in stories:
        assert sum("jumping in" in text for text in texts(sandbox, story["conversation_id"])) == 1
    again = get(server, f"/api{server.post('/runs/retry', data=form).headers['location']}").json()
    assert again["going_on"] == 0
    assert "has gone on since you looked at it, and is succeeded now" in again["retries"][0]["refused"]


def test_run_that_has_gone_on_since_it_was_seen_is_not_retried(server, sandbox):
    fail(sandbox, "fred")
    run = wait_for_run(server, "failed")
    seen = re.findall(r'name="seen" value="(\d+)"', get(server, f"/runs/{run['id']}").text)
    form = {"token": token(server), "seen": seen[0]}
    order_fault(sandbox, "v1-message", status=400, body={"error": "closed again"})
    assert server.post(f"/runs/{run['id']}/retry", data=form).status_code == 303
    server.wait_for(lambda: status_of(server, run["id"]) == "failed")
    second = server.post(f"/runs/{run['id']}/retry", data=form)
    assert second.status_code == 409
    assert "has gone on since you looked at it, and is failed now; look at it again" in second.text
    assert len(get(server, f"/api/runs/{run['id']}").json()["decisions"]) == 1


def test_many_runs_need_the_token_and_a_choice_of_at_most_a_page(server):
    given = {"token": token(server)}
    assert server.post("/runs/retry", data={"token": "x", "runs": "run_a"}).status_code == 403
    nothing = server.post("/runs/retry", data=given)
    assert nothing.status_code == 409
    assert "no run was chosen; tick those that shall go on" in nothing.text
    assert server.post("/runs/retry", data={**given, "runs": [f"run_{one}" for one in range(51)]}).status_code == 422
    many = server.post("/runs/retry", data={**given, "runs": [f"run_{one}" for one in range(50)]})
    assert many.status_code == 303
    assert server.post("/runs/retry", data={**given, "runs": ["a", "b\0"]}).status_code == 422
    headers = {"X-ChatForge-Token": given["token"]}
    path = server.post("/api/runs/retry", json={"runs": ["run_a"]}, headers=headers).json()["path"]
    assert httpx.get(f"{server.address}/api{path}").json()["going_on"] == 0
    assert get(server, "/runs/retries/none").status_code == 404
