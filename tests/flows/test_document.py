from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector.flows import document
from connector.flows.alignment import offsets
from connector.flows.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, Mapping, Scalar, Sequence, Source
from connector.flows.problems import Report, render

OK = sorted((Path(__file__).parent / "ok").glob("*.yaml"))


def read(content: bytes | str) -> tuple[Source, Mapping | None, list[str]]:
    """The source, the top mapping and the problems as `line:column: message; hint [rule]`."""
    report = Report("f")
    source = document.decode(content, report)
    root = None if report.problems() else document.parse(source, report)
    return source, root, [render(p, source.text).split("\n")[0].removeprefix("f:") for p in report.problems()]


def value_of(text: str) -> document.Node:
    _, root, problems = read(f"key: {text}\n")
    assert problems == []
    assert root is not None
    return root.entries["key"].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("9223372036854775807", 2**63 - 1),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("True", "True"),
        ("~", "~"),
        ("Null", "Null"),
        ("0123", "0123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("+4917012345", "+4917012345"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("1.", "1."),
        ("2026-03-25", "2026-03-25"),
        ("=", "="),
        ("٣", "٣"),
        ("'12'", "12"),
        ('"null"', "null"),
        ('"\\u00e9\\t"', "é\t"),
        ("a  b # comment", "a  b"),
    ],
)
def test_scalar_resolves_by_the_grammar_of_json(text: str, value: Any) -> None:
    node = value_of(text)
    assert isinstance(node, Scalar)
    assert node.value == value
    assert type(node.value) is type(value)


def test_text_of_scalar_is_kept_beside_its_value() -> None:
    node = value_of("1.50")
    assert isinstance(node, Scalar)
    assert (node.value, node.text, node.style) == (1.5, "1.50", None)


def test_nested_nodes_know_their_range() -> None:
    source, root, _ = read("a:\n  - {b: c}\n  - [d]\n")
    assert root is not None
    items = root.entries["a"].value
    assert isinstance(items, Sequence)
    assert [source.text[item.start : item.end] for item in items.items] == ["{b: c}", "[d]"]


@pytest.mark.parametrize(
    "content", ["a: b\r\nc: d\r\n", "a: b\rc: d\r", "\ufeffa: b\nc: d", b"\xef\xbb\xbfa: b\r\nc: d"]
)
def test_line_ends_and_byte_order_mark_do_not_matter(content: bytes | str) -> None:
    source, root, problems = read(content)
    assert problems == []
    assert root is not None
    assert list(root.entries) == ["a", "c"]
    assert source.of(root.entries["c"].key).line == 2


PLACED = {
    "plain": "a: x NEEDLE y",
    "plain with characters outside the BMP": "a: 😀 é e\u0301 NEEDLE",
    "plain over lines": "a: one\n   two\n\n   NEEDLE",
    "single quotes": "a: 'it''s ''  NEEDLE'",
    "single quotes over lines": "a: 'one\n\n  ''two'' NEEDLE\n  x'",
    "double quotes": 'a: "\\"\\\\ NEEDLE"',
    "double quotes with numbered escapes": 'a: "\\x41\\u0041\\U00000041 \\u0020\\x09 A4 NEEDLE"',
    "double quotes with white escapes": 'a: "\\n\\t\\_\\N\\L\\P\\ n NEEDLE"',
    "double quotes over lines": 'a: "one\\\n   two\n   \\  NEEDLE"',
    "literal block": "a: |\n  one\n    two NEEDLE",
    "literal block with indicator and comment": "a: |2- # NEEDL\n   one\n\n   NEEDLE",
    "folded block": "a: >-\n  one\n  two\n\n    three\n  NEEDLE",
    "key": "NEEDLE: b",
    "in braces": "a: {b: [c, 'd', NEEDLE]}",
}


@pytest.mark.parametrize("content", PLACED.values(), ids=PLACED.keys())
def test_part_of_scalar_is_placed_where_it_was_written(content: str) -> None:
    source, root, problems = read(content)
    assert problems == []
    assert root is not None
    [scalar] = [scalar for scalar in scalars(root) if "NEEDLE" in scalar.text]
    start = scalar.text.index("NEEDLE")
    place = source.within(scalar, start, start + len("NEEDLE"))
    line = content.split("\n")[place.line - 1]
    assert line[place.column - 1 : place.end - 1] == "NEEDLE"


def scalars(node: document.Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Sequence):
        return [scalar for item in node.items for scalar in scalars(item)]
    return [s for entry in node.entries.values() for s in [entry.key, *scalars(entry.value)]]


@given(
    text=st.text(st.sampled_from("ab\"'\\#: \n\té😀\x85\u2028\xa0{}|-"), max_size=40),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.sampled_from([5, 20, 80]),
)
def test_each_visible_character_is_found_where_it_was_written(text: str, style: Any, width: int) -> None:
    written = yaml.dump({"a": text}, default_style=style, width=width, allow_unicode=True)
    for event in yaml.parse(written, Loader=yaml.CSafeLoader):
        if not isinstance(event, yaml.ScalarEvent):
            continue
        raw = written[event.start_mark.index : event.end_mark.index]
        for character, offset in zip(event.value, offsets(raw, event.value, event.style or None), strict=True):
            assert character.isspace() or raw[offset] in (character, "\\")


REFUSED = {
    "only comments": ("# a\n\n# b\n", "1:1: the file is empty"),
    "nothing": ("", "1:1: the file is empty"),
    "not UTF-8": ("a: b\nc: \xe9".encode("latin-1"), "2:4: byte 8 of the file is not UTF-8"),
    "not UTF-8 after a CRLF": (b"\xef\xbb\xbfa: b\r\nc: \xc3\xa9\xff", "2:5: byte 14 of the file is not UTF-8"),
    "UTF-16": ("a: b".encode("utf-16"), "1:1: byte 0 of the file is not UTF-8"),
    "NUL": ("a: \0", "1:4: the character U+0000 is not allowed"),
    "escape character": ("a: b\n# \x1b[31m", "2:3: the character U+001B is not allowed"),
    "lone surrogate": ("a: \ud800", "1:4: the character U+D800 is not allowed"),
    "line break of others": ("a: b\u2028c: d", "1:5: the character U+2028 is not allowed"),
    "next line": ("a: b\x85c: d", "1:5: the character U+0085 is not allowed"),
    "byte order mark inside": ("a: \ufeffb", "1:4: the character U+FEFF is not allowed"),
    "anchored list": ("a: &b [c]", "1:4: anchors (&name) and aliases (*name) are not allowed"),
    "tagged mapping": ("a: !x {b: c}", "1:4: an unquoted ! starts a tag"),
    "tag of YAML": ("a: !!binary b", "1:4: an unquoted ! starts a tag"),
    "duplicate key in quotes": ("a: 1\nb: 2\n'a': 3", "3:1: the key 'a' is given twice, first in line 1"),
    "number beyond a double": ("a: 1e999", "1:4: the number is too large"),
    "number beyond 64 bits": ("a: -9223372036854775808", "1:4: the number is too large"),
    "number of 5,000 digits": (f"a: {'9' * 5000}", "1:4: the number is too large"),
    "document after an end": ("a: b\n...\n---\nc: d\n", "3:1: a file holds one flow"),
    "directive": ("%YAML 3.0\n---\na: b", "1:1: this is not YAML: found incompatible YAML document"),
}


@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_content_that_is_refused_has_its_problem(content: bytes | str, problem: str) -> None:
    [found] = read(content)[2]
    assert found.startswith(problem)


def test_all_duplicate_keys_are_reported() -> None:
    _, _, problems = read("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [problem.split(":")[:2] for problem in problems] == [["2", "1"], ["3", "11"]]


def nested(levels: int) -> str:
    return "a: " + "[" * levels + "]" * levels


LIMITS = {
    "bytes": ("a: " + "é" * ((MAX_BYTES - 4) // 2), "a: " + "é" * (MAX_BYTES // 2)),
    "values": ("a: [" + "1," * (MAX_NODES - 3) + "]", "a: [" + "1," * (MAX_NODES - 2) + "]"),
    "depth": (nested(MAX_DEPTH - 1), nested(MAX_DEPTH)),
}


@pytest.mark.parametrize(("most", "more"), LIMITS.values(), ids=LIMITS.keys())
def test_file_at_the_limit_is_read_and_one_beyond_it_refused(most: str, more: str) -> None:
    assert read(most)[2] == []
    assert len(read(more)[2]) == 1


@pytest.mark.parametrize("file", OK, ids=lambda file: file.stem)
def test_both_readers_of_yaml_give_the_same_places(file: Path) -> None:
    """PyYAML has a reader in C only in some of its builds."""

    def events(loader: Any) -> list[tuple[Any, ...]]:
        return [
            (
                type(e),
                e.start_mark.index,
                e.end_mark.index,
                getattr(e, "value", None),
                getattr(e, "style", None) or None,
            )
            for e in yaml.parse(file.read_text("utf-8"), Loader=loader)
            if not isinstance(e, yaml.CollectionEndEvent | yaml.DocumentEndEvent)
        ]

    assert events(yaml.CSafeLoader) == events(yaml.SafeLoader)
