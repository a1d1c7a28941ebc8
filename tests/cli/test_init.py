"""`chatforge init`: a flow to start with, which checks and whose test passes."""

import re

import pytest


def test_written_flow_checks_clean_and_its_test_passes(chatforge):
    written = chatforge("init", "lead-to-crm", "--into", "my flows")
    assert written.code == 0, written.error
    for command in ("check", "test"):
        [arguments] = re.findall(rf"^  chatforge {command} '(.*)'$", written.out, re.MULTILINE)
        result = chatforge(command, arguments)
        assert (result.code, result.error) == (0, "")


def test_examples_of_the_settings_are_read_and_hold_nothing(chatforge, tmp_path):
    chatforge("init", "lead-to-crm")
    (tmp_path / ".env").write_bytes((tmp_path / "flows" / ".env.example").read_bytes())
    result = chatforge("serve", "--flows", "flows")
    assert result.code == 2
    assert "set CHATFORGE_" in result.error


@pytest.mark.parametrize("name", ["lead-to-crm.yaml", "lead-to-crm.test.yaml", "connections.yaml", ".env.example"])
def test_file_that_is_there_is_named_and_nothing_is_written(chatforge, tmp_path, name):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / name).write_text("mine")
    result = chatforge("init", "lead-to-crm")
    assert (result.code, result.out) == (2, "")
    assert (
        f"'flows/{name}' would be overwritten; nothing was written, give another --into, such as --into flows2"
        in result.error
    )
    assert [path.name for path in (tmp_path / "flows").iterdir()] == [name]
    assert (tmp_path / "flows" / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lead-to-cmr"], "there is no flow 'lead-to-cmr' to start with; did you mean 'lead-to-crm'?"),
        (["lead-to-crm", "--into", "file/x"], "'file/x/lead-to-crm.yaml' cannot be written: Not a directory"),
    ],
)
def test_init_that_cannot_be_done_says_why(chatforge, tmp_path, arguments, sentence):
    (tmp_path / "file").write_text("")
    result = chatforge("init", *arguments)
    assert result.code == 2
    assert sentence in result.error


def test_init_without_a_name_lists_the_flows(chatforge, tmp_path):
    result = chatforge("init")
    assert (result.code, result.error) == (0, "")
    assert result.out == "flows to start with\n  lead-to-crm\nwrite one: chatforge init NAME\n"
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_proposed_is_not_there(chatforge, tmp_path):
    for name in ("flows", "flows2"):
        assert chatforge("init", "lead-to-crm", "--into", name).code == 0
    assert chatforge("init", "lead-to-crm").error.endswith("such as --into flows3\n")
