"""Names that no file can have, devices, and links that lead out of the folder that a command writes to."""

import pytest

LONG = "a" * 300
KEY = {"CHATFORGE_API_KEY": "k", "CHATFORGE_WEBHOOK_SECRET": "s"}


@pytest.mark.parametrize(
    "command",
    [
        ["serve", "--flows", LONG],
        ["doctor", "--flows", LONG],
        ["test", LONG],
        ["init", "lead-to-crm", "--into", LONG],
        ["new-plugin", "notes", "--into", LONG],
        ["export", "n8n", "-o", LONG],
        ["init", "../lead-to-crm"],
        ["new-plugin", "../notes"],
        ["export", "../n8n"],
        ["check", "flow\n.yaml"],
        ["serve", "--flows", "/dev/zero"],
        ["explain", "../../pyproject"],
    ],
    ids=lambda command: " ".join(command)[:30],
)
def test_name_is_refused_with_a_sentence_and_nothing_is_written(chatforge, tmp_path, command):
    result = chatforge(*command, HOME=str(tmp_path), **KEY)
    assert result.code in (1, 2, 4), result.error
    assert "internal failure" not in result.out + result.error
    assert [path for path in tmp_path.iterdir() if path.suffix in (".yaml", ".toml", ".json")] == []


def test_secret_file_that_is_a_device_is_not_read(chatforge, flow, tmp_path):
    (tmp_path / "connections.yaml").write_text("default: {connector: chatforge, api_key: {file: /dev/zero}}\n")
    result = chatforge("run", flow, "--set", "visitor_email=ann@example.com")
    assert result.code == 2
    assert "the secret file /dev/zero cannot be read: it is a device" in result.error


def test_export_does_not_follow_a_link_out_of_its_folder(chatforge, tmp_path):
    assert chatforge("export", "n8n", "-o", "made").code == 0
    [inner, *_] = sorted(path for path in (tmp_path / "made").iterdir() if path.is_dir())
    inner.rename(tmp_path / "elsewhere")
    inner.symlink_to(tmp_path / "elsewhere")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "elsewhere").rglob("*")}
    result = chatforge("export", "n8n", "-o", "made")
    assert result.code == 2
    assert "leads out of 'made', and is not written to" in result.error
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "elsewhere").rglob("*")} == before
