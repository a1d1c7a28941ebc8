"""Folders are named by agents, whatever those are called."""

import pytest

from connector.agents.slugs import make_slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Estate Planning", "estate-planning"),
        ("../../x", "x"),
        ("", "agent"),
        ("日本", "agent"),
        ("Straße Écrite ", "strasse-ecrite"),
        (".git", "git"),
        ("\ud800a\x00b", "a-b"),
        ("a" * 59 + " b", "a" * 59),
    ],
)
def test_name_is_shortened_to_what_every_file_system_takes(name, slug):
    assert make_slug(name, []) == slug


def test_taken_names_get_a_number_whatever_their_case():
    assert make_slug("Sales", ["SALES", "sales-2"]) == "sales-3"
