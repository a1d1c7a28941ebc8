"""The package that is exported for n8n."""

from pathlib import Path

from connector.hosts.exports import build

GOLDEN = Path(__file__).parent / "golden"


def test_package_is_that_of_the_golden_files(built_in):
    """Written anew by: chatforge export n8n -o tests/hosts/n8n/golden"""
    made = build("n8n", built_in, ["chatforge"])
    assert {*made.left_out} == {"chatforge.conversation_updated", "chatforge.analytics_change"}
    assert {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()} == {*made.files}
    for name, text in made.files.items():
        assert (GOLDEN / name).read_text() == text, name


def test_package_has_the_license_of_the_project(built_in):
    root = Path(__file__).parents[3]
    assert build("n8n", built_in, ["chatforge"]).files["LICENSE"] == (root / "LICENSE").read_text()
