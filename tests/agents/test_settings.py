"""agent.yaml is read with places, and edited so that what a person wrote around the values stays."""

import pytest
from hostile import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from connector.agents.settings import edit, read
from connector.errors import FolderError
from connector.flows.document import MAX_BYTES

WRITTEN = """\
# the one on the front page
welcome_message: >-   # seen first
  Hi there,
  how are you?

name:
active: true # for now
primary_color: '#fff'
"""


def shown(text):
    return [(one.line, one.column, one.message, one.rule) for one in read(text, "agent.yaml").problems]


def test_edit_leaves_comments_order_and_other_values():
    edited = edit(WRITTEN, {"id": "a1", "welcome_message": "Hello: you", "name": "Sales", "active": False})
    assert (
        edited
        == """\
# the one on the front page
id: a1
welcome_message: "Hello: you"
name: Sales
active: false # for now
primary_color: '#fff'
"""
    )


@pytest.mark.parametrize(
    "text",
    ["{name: x, active: true}", "{name: x}\n", "---\nname: x\nactive: true\n...\n", "name: x\nactive: true"],
    ids=["braces", "braces without the key", "document marks", "no line end"],
)
def test_edit_of_any_style_has_the_new_values(text):
    edited = read(edit(text, {"id": "0", "active": False, "primary_color": "#000"}), "")
    assert (edited.id, edited.values) == ("0", {"name": "x", "active": False, "primary_color": "#000"})


@pytest.mark.parametrize("text", [text for text in TEXTS if not "\ud800" <= text[:1] < "\ue000"], ids=repr)
def test_any_text_is_read_as_it_was_written(text):
    values = {"name": f"x{text}", "welcome_message": text}
    assert read(edit("", {"id": f"0{text}", **values}), "").values == values
    assert read(edit("name: y\nwelcome_message: |\n  z\n", values), "").values == values


@given(st.text(), st.text())
def test_random_texts_are_read_as_they_were_written(first, second):
    values = {"name": f"x{first}", "welcome_message": second}
    assert read(edit("", {"id": "0", **values}), "").values == values
    assert read(edit("name: y # z\nwelcome_message: 'a'\n", values), "").values == values


def test_text_that_is_too_large_for_the_file_is_told():
    with pytest.raises(FolderError, match=r"agent.yaml cannot hold .*: it is too large; change it"):
        edit("", {"id": "0", "welcome_message": "x" * MAX_BYTES})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id: a\ncolor: red", (2, 1, "an agent has no key 'color'", "unknown-key")),
        ("id: 12", (1, 5, "id is a text; put it in quotes", "type")),
        ("id: ' '\nname: x", (1, 5, "id is blank", "type")),
        ("id: a\nactive: 1", (2, 9, "active is true or false", "type")),
        ("id: a\nname: [x]", (2, 7, "name is a text; put it in quotes", "type")),
        ("id: a\nid: b", (2, 1, "the key 'id' is given twice, first in line 1", "duplicate-key")),
        ("active: true", (1, 1, "a new agent needs the key 'name'", "missing-key")),
        ("id:\nname: ' '", (2, 7, "a new agent needs a name that is not blank", "type")),
        ("- x", (1, 1, "an agent is made of `key: value` lines", "yaml")),
        ("id: a\nknowledge_base: x", (2, 1, "agent.yaml has no key 'knowledge_base'", "unknown-key")),
        ("<<<<<<< HEAD\nid: a", (2, 1, "this key is indented deeper than the line above it", "yaml")),
    ],
)
def test_problem_has_its_place(text, problem):
    assert shown(text) == [problem]


def test_agent_that_is_there_needs_no_name_and_empty_keys_are_not_given():
    found = read("id: a\nname: ''\nactive:\nwelcome_message: null\n", "")
    assert (found.problems, found.values) == ((), {"name": ""})


def test_very_many_problems_end():
    assert len(shown("id: a\n" + "".join(f"k{number}: 1\n" for number in range(200)))) == 101
