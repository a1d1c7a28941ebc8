"""`chatforge export`."""

import pytest


def test_package_is_written_and_what_it_lacks_is_told(chatforge, tmp_path):
    result = chatforge("export", "zapier", "--plugin", "contacts", "-o", "app")
    assert result.code == 0
    first, *left_out = result.out.splitlines()
    assert first == f"wrote {len([*(tmp_path / 'app').iterdir()])} files to app"
    assert [line for line in left_out if "contacts" in line] == [
        f"left out contacts.{name}: an app of Zapier is for one service" for name in ("upsert", "find", "list")
    ]
    mine = tmp_path / "app" / "mine.js"
    mine.write_text("")
    chatforge("export", "zapier", "-o", "app")
    assert mine.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["zapeir"], "'zapeir' is no host to export for; did you mean 'zapier'?"),
        (["zapier", "--plugin", "hubspo"], "--plugin 'hubspo': there is no such plugin; did you mean 'hubspot'?"),
        (["zapier", "-o", "file/x"], "cannot be written: Not a directory"),
        (["zapier", "-o", "x" * 300], "cannot be written: File name too long"),
    ],
)
def test_package_that_cannot_be_written_says_why(chatforge, tmp_path, arguments, sentence):
    (tmp_path / "file").write_text("")
    result = chatforge("export", *arguments)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error


@pytest.mark.parametrize(
    ("name", "content"), [("package.json", '{"name": "mine"}'), ("package.json", "[1"), ("README.md", "mine")]
)
def test_files_of_something_else_are_kept(chatforge, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    result = chatforge("export", "n8n", "-o", ".")
    assert (result.code, result.out) == (2, "")
    assert f"{name!r} was not written by an export, and is kept; give another --into" in result.error
    assert [path.name for path in tmp_path.iterdir() if path.suffix in (".json", ".md", ".js")] == [name]
