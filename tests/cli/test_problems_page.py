"""docs/problems.md tells of each rule of the checker, with an example and what the command prints for it."""

from typing import get_args

import pytest
from cli.problems_page import PAGE, Section, printed, read

from connector.flows.problems import Rule

SECTIONS = read()


def test_each_rule_has_a_section_and_each_section_a_rule():
    assert [section.rule for section in SECTIONS] == list(get_args(Rule))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_example_prints_what_the_page_shows(section: Section):
    """Where the new text is meant: python tests/cli/problems_page.py"""
    assert printed(section.command, section.files) == section.output
    assert f"[{section.rule}]\n" in section.output


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.rule)
def test_change_that_the_page_shows_leaves_no_problem(section: Section):
    command = section.command.partition(" | ")[0]
    assert "checked, no problems\n" in printed(command, section.corrected())


def test_explain_prints_the_section_of_a_rule(chatforge):
    result = chatforge("explain", "yaml-tag")
    assert f"\n## {result.out}" == "".join(PAGE.read_text("utf-8").partition("\n## yaml-tag")[1:])


def test_unknown_rule_is_told_with_the_one_that_was_meant(chatforge):
    result = chatforge("explain", "unknown-feld")
    assert (result.code, result.error) == (
        2,
        "error: there is no rule 'unknown-feld'; did you mean 'unknown-field'?\n",
    )


def test_explain_without_a_rule_lists_them(chatforge):
    result = chatforge("explain")
    assert (result.code, result.error) == (0, "")
    assert result.out.splitlines() == [*(section.rule for section in SECTIONS), "more on one: chatforge explain RULE"]
