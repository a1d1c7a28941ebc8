"""The app that is generated for Zapier."""

from pathlib import Path

from connector.hosts.exports import build

GOLDEN = Path(__file__).parent / "golden"


def test_app_is_that_of_the_golden_files(built_in):
    """Written anew by: chatforge export zapier -o tests/hosts/zapier/golden"""
    made = build("zapier", built_in, ["chatforge"])
    assert {*made.left_out} == {
        "chatforge.event",
        "chatforge.lead_captured",
        "chatforge.conversation_updated",
        "chatforge.analytics_change",
    }
    assert {path.name for path in GOLDEN.iterdir()} == {*made.files}
    for name, text in made.files.items():
        assert (GOLDEN / name).read_text() == text, name


def test_plugin_of_another_service_is_left_out(built_in):
    made = build("zapier", built_in, ["chatforge", "hubspot"])
    alone = build("zapier", built_in, ["chatforge"])
    others = {name for name in (*built_in.actions, *built_in.triggers) if name.startswith("hubspot.")}
    assert {*made.left_out} - {*alone.left_out} == others
    assert made.files == alone.files
