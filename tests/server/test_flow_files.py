"""Flow files that were changed, added or broken while the server runs: their pages say what is wrong, and where."""

import os
import re

import pytest
from server.conftest import FLOW
from server.test_pages import get

LEADS = FLOW.read_text()
OTHER = "flow: other\ntrigger: {uses: chatforge.event}\nsteps: [{id: all, uses: contacts.list}]\n"
ANY = """\
flow: loose
trigger: {uses: chatforge.event}
steps:
  - {id: kept, if: trigger.data.plan == 'gold', uses: contacts.list}
"""


@pytest.fixture
def flows(tmp_path):
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "leads.yaml").write_text(LEADS)
    (folder / "other.yaml").write_text(OTHER)
    return folder


@pytest.fixture
def server(make_server, flows):
    return make_server(flows=flows).start("--port", "0")


def wait_for_file(server, name, problems):
    """What the page of flows says of a flow's file, once it has so many problems."""

    def look():
        shown = get(server, "/api/flows").json()
        row = next((one["file"] for one in shown["flows"] if one["name"] == name), None)
        return row if row and row["problems"] == problems else None

    return server.wait_for(look)


def test_problems_stand_under_the_lines_of_a_changed_flow(server, flows):
    assert wait_for_file(server, "lead-to-crm", 0)["sentence"] == "The server has this text."
    assert get(server, "/api/flows").json()["files"] == []
    number = next(number for number, line in enumerate(LEADS.split("\n"), 1) if "contact.created" in line)
    (flows / "leads.yaml").write_text(LEADS.replace("contact.created", "contact.creatd"))
    found = wait_for_file(server, "lead-to-crm", 1)
    assert (found["path"], found["served"]) == (f"/flows/lead-to-crm#line-{number}", False)
    page = get(server, "/flows/lead-to-crm").text
    pattern = rf'id="line-{number}">(.*?)</div>\s*<p class="fault problem">(.*?)</p>'
    [(line, fault)] = re.findall(pattern, page)
    assert '<mark class="problem">creatd</mark> &amp;&amp;' in line
    for text in ("has no field &#39;creatd&#39;; did you mean &#39;created&#39;?", "[unknown-field]"):
        assert text in fault
    assert "It has problems, the server goes on with what it read before: line 29: steps.contact" in page
    assert "contact.created" in get(server, "/api/flows/lead-to-crm").json()["source"]
    link = f'<a href="/flows/lead-to-crm#line-{number}"><span class="status failed">1 problem</span></a>'
    assert link in get(server, "/flows").text
    (flows / "leads.yaml").write_text(LEADS.replace("jumping in", "here"))
    assert wait_for_file(server, "lead-to-crm", 0)["served"]
    assert "this is Cal here" in get(server, "/flows/lead-to-crm").text


def test_files_of_which_nothing_is_served_are_listed(server, flows):
    (flows / "leads.yaml").write_text(LEADS.replace("flow: lead-to-crm", "flow: renamed").replace("steps:", "step:"))
    (flows / "again.yaml").write_text(OTHER.replace("contacts.list", "contacts.lists"))
    (flows / "no <b>yaml.yaml").write_bytes(b"\xff")
    (flows / "empty.yml").write_text("")
    (flows / os.fsdecode(b"odd\xff.yaml")).write_text("a: b\n")
    (flows.parent / "secret").write_text("password=hush\n")
    (flows / "link.yaml").symlink_to(flows.parent / "secret")
    (flows / "loose.yaml").write_text(ANY)
    assert wait_for_file(server, "loose", 0)["warnings"] == 1
    shown = get(server, "/api/flows").json()
    assert [(one["name"], one["file"]["named"]) for one in shown["flows"]] == [
        ("lead-to-crm", "renamed"),
        ("loose", "loose"),
        ("other", "other"),
    ]
    told = {one["name"]: (one["named"], one["flow"], one["problems"]) for one in shown["files"]}
    names = {"again.yaml": "other", "empty.yml": None, "no <b>yaml.yaml": None}
    assert told == {name: (named, None, 1) for name, named in names.items()} | {
        "link.yaml": (None, None, 1),
        "odd\ufffd.yaml": (None, None, 4),
    }
    assert {one["sentence"].partition(": line")[0] for one in shown["files"]} == {
        "It has problems, nothing of it is served"
    }
    page = get(server, "/flows").text
    links = re.findall(r'href="(/flows/files/[^"#]+)', page)
    assert len(links) == 5
    for link in links:
        assert get(server, link).status_code == 200, link
        assert "hush" not in get(server, link).text, link
    assert "[unknown-action]" in get(server, links[0]).text
    assert '<p class="fault warning"><strong>warning</strong>' in get(server, "/flows/loose").text
    for name in ("connections.yaml", "%2e%2e%2fruns.sqlite", "none.yaml"):
        assert get(server, f"/flows/files/{name}").status_code == 404, name
