import json
import random
import shutil
import subprocess
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.chatforge.javascript import nests_deeper, read, rewrite, write

VECTORS = json.loads(Path(__file__).with_name("webhook_signatures.json").read_text(encoding="utf-8"))["vectors"]
READABLE = [vector for vector in VECTORS if vector["raw_is_utf8"] and vector["parse_error"] is None]
UNREADABLE = [vector for vector in VECTORS if vector["parse_error"] is not None]
by_name = itemgetter("name")
NODE = shutil.which("node")


@pytest.mark.parametrize("vector", READABLE, ids=by_name)
def test_text_is_rewritten_as_node_rewrote_it(vector: dict[str, Any]) -> None:
    assert rewrite(vector["raw_text"]) == vector["stringified"]


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(vector["raw_text"], id=vector["name"]) for vector in UNREADABLE),
        pytest.param("NaN", id="nan"),
        pytest.param("[-Infinity]", id="negative_infinity"),
        pytest.param('["a\tb"]', id="raw_control_character"),
        pytest.param("\u00a0{}", id="no_break_space"),
        pytest.param("[1,]", id="trailing_comma"),
        pytest.param('["\\u12g4"]', id="bad_escape"),
        pytest.param("[\u0661]", id="arabic_digit"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
@pytest.mark.parametrize("reader", [read, rewrite], ids=["read", "rewrite"])
def test_text_that_json_parse_refuses_is_a_value_error(reader: Any, text: str) -> None:
    with pytest.raises(ValueError):
        reader(text)


@pytest.mark.parametrize(
    ("literal", "written"),
    [
        ("9007199254740991", "9007199254740991"),
        ("9007199254740993", "9007199254740992"),
        ("576460752303423488", "576460752303423500"),
        ("123456789012345680000", "123456789012345680000"),
        ("-999999999999999868928", "-999999999999999900000"),
        ("1000000000000000000000", "1e+21"),
        ("-1.50e+22", "-1.5e+22"),
        ("1.7976931348623159e308", "null"),
        ("5e-324", "5e-324"),
        ("0.0001", "0.0001"),
        ("0.00001", "0.00001"),
        ("-12.5e-6", "-0.0000125"),
        ("0.000001", "0.000001"),
        ("1.234e-6", "0.000001234"),
        ("0.0000001", "1e-7"),
        ("-1.5e-9", "-1.5e-9"),
        ("1.5e-10", "1.5e-10"),
    ],
)
def test_number_is_laid_out_as_javascript_does(literal: str, written: str) -> None:
    assert rewrite(literal) == written


def test_text_beside_a_tiny_number_stays_as_it_is() -> None:
    text = r'{"1e-05":"1e-05\"1e-05\\","a":[1e-7,"1e-07\\\"2.5e-06"],"b":"\u0000\u0001"}'
    assert rewrite(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"b":1,"4294967294":2,"a":3}', '{"4294967294":2,"b":1,"a":3}'),
        ('{"b":1,"4294967295":2}', '{"b":1,"4294967295":2}'),
        ('{"b":1,"10":2,"9":3}', '{"9":3,"10":2,"b":1}'),
        ('{"b":1,"01":2,"0":3}', '{"0":3,"b":1,"01":2}'),
        ('{"b":1,"٣":2}', '{"b":1,"٣":2}'),
        ('{"b":1,"10000000000":2}', '{"b":1,"10000000000":2}'),
        ('{"b":1,"7":2,"b":3}', '{"7":2,"b":3}'),
    ],
    ids=["largest_index", "past_the_largest", "by_value", "leading_zero", "other_digits", "long", "duplicate"],
)
def test_array_indexes_come_first(text: str, written: str) -> None:
    assert rewrite(text) == written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12345678901234567891", 12345678901234567891),
        ("1.0", 1.0),
        ("-0", 0),
        ("[1e400,-1e400]", [None, None]),
        ("9" * 5000, None),
        (r'"\ud83d"', "\ud83d"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        ('{"__proto__":{"a":1}}', {"__proto__": {"a": 1}}),
    ],
    ids=["long_integer", "fraction", "minus_zero", "overflow", "long_overflow", "lone", "pair", "proto"],
)
def test_value_is_read_as_plain_json(text: str, value: object) -> None:
    found = read(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ([float("inf"), float("nan")], "[null,null]"),
        ([-0.0, 1.0, 2**53 + 1], "[0,1,9007199254740992]"),
        (["\ud83d\ude00", "\ude00\ud83d"], '["\U0001f600","\\ude00\\ud83d"]'),
        ({"b": None, "1": True}, '{"1":true,"b":null}'),
    ],
    ids=["not_finite", "numbers", "surrogates", "members"],
)
def test_value_is_written_as_json_stringify_writes_it(value: object, written: str) -> None:
    assert write(value) == written


@pytest.mark.parametrize(
    ("text", "deeper"),
    [
        ('[{"a":[]},1,[]]', False),
        ('[{"a":[{}]}]', True),
        ("[],[],[],[],[]", False),
        ('["[[[["]', False),
        (r'["\"[[[["]', False),
        (r'["\\",[[[]]]]', True),
        ('"[[[[', False),
        ("]]]][[[[", False),
        ("{" * 100_000, True),
    ],
    ids=["three", "four", "wide", "string", "quote", "backslash", "unfinished", "closed_first", "very_deep"],
)
def test_nesting_is_compared_with_three_levels(text: str, deeper: bool) -> None:
    assert nests_deeper(text, 3) is deeper


ANY_TEXT = st.text(st.characters(exclude_categories=()))  # with lone surrogates
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | ANY_TEXT,
    lambda values: st.lists(values) | st.dictionaries(ANY_TEXT | st.integers(0, 2**33).map(str), values),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy
@given(ANY_VALUE)
def test_written_value_is_written_the_same_again(value: object) -> None:
    written = write(value)
    assert write(read(written)) == written


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed, so there is nothing to compare with")
@pytest.mark.parametrize(
    "count", [pytest.param(1_500, id="sample"), pytest.param(50_000, id="torture", marks=pytest.mark.torture)]
)
def test_generated_texts_are_rewritten_as_node_rewrites_them(count: int) -> None:
    seed = 20_261_122
    rng = random.Random(seed)  # noqa: S311  # a reproducible sample, nothing secret
    texts = [generate_text(rng) for _ in range(count)]
    answers = rewrite_with_node(texts)
    differing = [
        (text, answer, rewritten)
        for text, answer in zip(texts, answers, strict=True)
        if (rewritten := rewrite_or_refuse(text)) != answer
    ]
    assert not differing, f"seed {seed}: {len(differing)} differ, first (text, Node.js, ours): {differing[0]!r}"
    assert count // 20 < answers.count(None) < count // 2, "the sample must hold both valid and invalid texts"


def rewrite_with_node(texts: list[str]) -> list[str | None]:
    script = """
        const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const rewrite = text => { try { return JSON.stringify(JSON.parse(text)) } catch { return null } };
        process.stdout.write(JSON.stringify(texts.map(rewrite)));
    """
    done = subprocess.run(  # the script is ours, the texts go to its standard input
        [str(NODE), "-e", script], input=json.dumps(texts).encode(), capture_output=True, check=True
    )
    answers: list[str | None] = json.loads(done.stdout)
    return answers


def rewrite_or_refuse(text: str) -> str | None:
    try:
        return rewrite(text)
    except ValueError:
        return None


STRINGS = ["a", "é", "日", "😀", "٣", "\u2028", "\x7f", "\\n", '\\"', "\\\\", "\\/", "[", "{", ":", ",", "e-05"]
STRINGS += ["\\u0000", "\\u001F", "\\u0041", "\\ud83d", "\\uDE00", "\\ud83d\\ude00"]
KEYS = ["0", "1", "2", "10", "01", "-1", "1.0", "1e3", "4294967294", "4294967295", "99999999999"]
KEYS += ["__proto__", "toJSON", "", "a", "b", "\\u0031", "\\u0061"]
NUMBERS = ["0", "-0", "1", "-1.0", "1e2", "1E+2", "100e-2", "1e-5", "1e-6", "1e-7", "1.5e-9", "1e21", "9e20"]
NUMBERS += ["1e400", "-1e400", "5e-324", "2e-324", "0.1", "2.675"]
NOISE = ' \t\n\r\v"\\{}[]:,.0123456789eE+-untrfalsx/\u00a0\ufeffé'


def generate_text(rng: random.Random) -> str:
    text = generate_value(rng, depth=4)
    if rng.random() < 0.3:
        position = rng.randrange(len(text) + 1)
        text = text[:position] + rng.choice(["", rng.choice(NOISE)]) + text[position + rng.randrange(2) :]
    return text


def generate_value(rng: random.Random, depth: int) -> str:
    space = rng.choice(["", "", "", " ", "\n\t\r"])
    kind = rng.randrange(7 if depth else 5)
    if kind == 5:
        items = [generate_value(rng, depth - 1) for _ in range(rng.randrange(5))]
        return f"{space}[{','.join(items)}{space}]"
    if kind == 6:
        members = [f"{generate_key(rng)}{space}:{generate_value(rng, depth - 1)}" for _ in range(rng.randrange(6))]
        return f"{space}{{{','.join(members)}{space}}}"
    if kind == 4:
        return f'"{"".join(rng.choices(STRINGS, k=rng.randrange(6)))}"{space}'
    return space + (generate_number(rng) if kind else rng.choice(["true", "false", "null"]))


def generate_key(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return f'"{rng.choice(KEYS)}"'
    return f'"{"".join(rng.choices(STRINGS, k=2))}"'


def generate_number(rng: random.Random) -> str:
    sign = rng.choice(["", "-"])
    digits = "".join(rng.choices("0123456789", k=rng.choice([1, 3, 16, 17, 18, 22, 400])))
    whole = digits.lstrip("0") or "0"
    return rng.choice(
        [
            rng.choice(NUMBERS),
            f"{sign}{whole}",
            f"{sign}{digits[0]}.{digits}e{rng.choice(['', '+', '-'])}{rng.randrange(330)}",
            f"{sign}0.{'0' * rng.randrange(8)}{digits}",
            repr(rng.uniform(1, 10) * 10.0 ** rng.randrange(-12, 25)),
            f"{sign}{2**53 + rng.randrange(-3, 12)}.5",
            f"{10**21 + rng.randrange(-200_000, 200_000)}",
        ]
    )
