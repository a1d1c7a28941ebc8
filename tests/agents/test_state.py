"""What was pulled is read again, and what is no such file is told."""

import json

import pytest

from connector.agents import state
from connector.agents.state import STATE_FILE, Pulled, State
from connector.errors import FolderError


def test_state_is_read_as_it_was_written(tmp_path):
    agents = {one: Pulled(folder="x\udcff", name="\ud800", digests={"name": "1"}) for one in ("b", "a")}
    kept = State(connection="acme", agents=agents, creating={"new": "2026-03-25T10:00:00Z"})
    state.save(tmp_path, kept)
    assert state.load(tmp_path, None, "default") == kept
    assert list(json.loads((tmp_path / STATE_FILE).read_text())["agents"]) == ["a", "b"]


def test_folder_without_one_is_of_the_connection_that_is_asked_for(tmp_path):
    assert state.load(tmp_path, "acme", "default").connection == "acme"
    assert state.load(tmp_path, None, "default").connection == "default"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<<<<<<< HEAD", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "input should be a valid dictionary"),
        ('{"connection": "x", "version": 2}', "version: input should be 1, not 2"),
        ('{"connection": "x", "agents": {"a": {}}}', "agents.a.folder is missing"),
    ],
    ids=["merge", "deep", "list", "version", "field"],
)
def test_state_that_cannot_be_read_is_told(tmp_path, text, reason):
    (tmp_path / STATE_FILE).write_text(text)
    with pytest.raises(FolderError) as caught:
        state.load(tmp_path, None, "default")
    assert f"cannot be read: {reason}" in str(caught.value)
    assert "restore it from git, or remove it and pull again" in str(caught.value)


def test_folder_is_gone_only_where_nothing_is_left_of_it(tmp_path):
    pulled = Pulled(folder="sales", name="Sales", digests={})
    assert state.is_gone(tmp_path, "a", pulled, {"other": "b"})
    assert not state.is_gone(tmp_path, "a", pulled, {"moved": "a"})
    assert not state.is_gone(tmp_path, "a", pulled, {"sales": None})
    assert state.is_gone(tmp_path, "a", pulled, {"sales": "b"})
    (tmp_path / "sales").symlink_to("nowhere")
    assert not state.is_gone(tmp_path, "a", pulled, {})
