"""Whatever the file: `check` returns, and each problem has a place in it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.flows.catalogue import Catalogue
from connector.flows.check import Checked, check
from connector.flows.flow import Call, Flow
from connector.flows.problems import MOST, render

SOUND = [file.read_text("utf-8") for file in sorted((Path(__file__).parent / "ok").glob("*.yaml"))]
TOKENS = [re.findall(r"\s+|\w+|.", text) for text in SOUND]
LINES = [text.splitlines(keepends=True) for text in SOUND]
SPLINTERS = (
    "${{", "}}", "}", "{", "[", "]", "'", '"', ":", ": ", "- ", "\n", "\n  ", "\t", "#", " #", "!", "&a", "*a", "|",
    ">-", "?", "?.", "??", "&&", "||", "==", "<", "in", "null", "true", "1e999", "9" * 30, "٣", "\u2028", "\0",
    "\ud800", "😀", "trigger", "steps", ".", "(", ")", ",", "-", "---", "...", "%", "@", "\\", "\\u", "for_each",
    "contact", "id", "<<",
)  # fmt: skip
HEAD = "flow: a\ntrigger: {uses: crm.lead}\nsteps:\n  - id: a\n    uses: crm.upsert\n    with:\n      email: x\n"
SIZE = 255 * 1024

BOMBS = {
    "words": "a: " + "x " * (SIZE // 2),
    "many nodes": "[" + "a," * (SIZE // 2) + "]",
    "many keys": "".join(f"k{i}: 1\n" for i in range(9_000)),
    "duplicate keys": "k: 1\n" * 4_900,
    "deep sequences": "[" * SIZE,
    "deep mappings": "{a: " * (SIZE // 4),
    "deep dashes": "- " * (SIZE // 2),
    "complex keys": "? " * (SIZE // 2),
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "comments": "a: b " + "# " * (SIZE // 2),
    "expressions in comments": "a: b\n" + " #${{\n" * (SIZE // 6),
    "open quote": 'a: "' + "x\n " * (SIZE // 3),
    "documents": "---\n" * (SIZE // 4),
    "line breaks": "\r" * SIZE,
    "unclosed expressions": HEAD + '      note: "' + "${{ " * (SIZE // 4 - 100) + '"\n',
    "unclosed quotes": HEAD + "      name: |\n        ${{ " + "'\\" * (SIZE // 2 - 100) + "\n",
    "quotes across expressions": HEAD + "      name: |\n        " + "${{ ' }} '" * (SIZE // 11) + "\n",
    "quotes in a bare expression": HEAD + "    if: |\n        " + "${{ ' }} '" * (SIZE // 11) + "\n",
    "escaped quotes": HEAD + "      name: |\n        ${{ " + "'\\ }}" * (SIZE // 6) + "\n",
    "wrong expressions": HEAD + '      name: "' + "${{ x }}" * 199 + '"\n',
    "other braces": HEAD + '      name: "' + "{{trigger.a" * (SIZE // 12) + '"\n',
    "many items": HEAD + "      properties: {l: [" + ",".join(f"{{a{i}: 1}}" for i in range(3_000)) + "]}\n",
    "long name": HEAD + "      name: ${{ " + "a" * 3_990 + " }}\n",
    "long expression": HEAD + "      name: ${{ " + "a" * 200_000 + " }}\n",
    "open brackets": HEAD + "      name: ${{ " + "(" * 3_990 + " }}\n",
    "operators": HEAD + "      name: ${{ " + "!" * 3_990 + " }}\n",
    "mixed nesting": HEAD + "      name: ${{ " + "[!(-" * 900 + " }}\n",
    "many parts": HEAD + "      name: ${{ " + "1+" * 1_990 + "1 }}\n",
    "many fields": HEAD + "      name: ${{ " + "a." * 1_990 + "b }}\n",
    "long line": HEAD + "      name: " + "x " * 100_000 + "${{ nope }}\n",
}


def assert_placed(checked: Checked) -> None:
    """Every problem lies in the file, is printable, and there is a flow exactly where there is no problem."""
    lines = checked.source.split("\n")
    for problem in checked.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column < problem.end_column
        assert problem.column <= len(lines[problem.line - 1]) + 1
        shown = render(problem, checked.source).split("\n")
        assert len(shown) == 3
        assert all(line.isprintable() for line in shown)
        assert max(map(len, shown)) < 1_000
        json.dumps(problem.as_json())
    assert len(set(checked.problems)) == len(checked.problems) <= MOST + 1
    assert (checked.flow is None) == bool(checked.problems)


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_bomb_gets_placed_problems_or_can_run(content: str, check_text: Callable[[bytes | str], Checked]) -> None:
    """Where the check is not linear in the file's size, this takes minutes."""
    assert_placed(check_text(content))


@given(content=st.text(max_size=200) | st.binary(max_size=200) | st.lists(st.sampled_from(SPLINTERS)).map("".join))
def test_any_content_gets_placed_problems(content: bytes | str, catalogue: Catalogue) -> None:
    assert_placed(check(content, "f.yaml", catalogue))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """One of the sound flows with a few tokens or lines deleted, repeated, moved or replaced."""
    parts = list(draw(st.sampled_from([*TOKENS, *LINES])))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(parts) - 1))
        replacement = draw(st.sampled_from(["", parts[at] * 2, draw(st.sampled_from(parts)), *SPLINTERS]))
        parts[at] = draw(st.sampled_from([replacement, parts[at] + replacement]))
    return "".join(parts)


def run_as_it_stands(flow: Flow) -> None:
    """Every slot of a checked flow is compiled: it can be asked, whatever the answer."""
    assert flow.steps
    for step in flow.walk():
        assert step.id
        if isinstance(call := step.does, Call):
            assert call.uses
            assert call.timeout > 0
            assert call.retry.delay <= call.retry.max_delay
            assert callable(call.input.render)


@settings(max_examples=300, deadline=2_000)  # milliseconds; other programs may take most of the machine
@given(content=mutated())
def test_mutated_flow_gets_placed_problems_or_can_run(content: str, catalogue: Catalogue) -> None:
    checked = check(content, "f.yaml", catalogue)
    assert_placed(checked)
    if checked.flow:
        run_as_it_stands(checked.flow)


@settings(max_examples=300, deadline=2_000)  # milliseconds; other programs may take most of the machine
@given(expression=st.lists(st.sampled_from(SPLINTERS), max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_expression_gets_placed_problems_or_a_type(expression: str, catalogue: Catalogue) -> None:
    content = f"flow: a\ntrigger: {{uses: crm.lead}}\nsteps:\n- id: a\n  uses: crm.find\n  with:\n    agent_id: x\n  if: {json.dumps(expression)}\n"  # noqa: E501
    assert_placed(check(content, "f.yaml", catalogue))
