from typing import Any

import pytest

from connector.flows.expressions import holes, syntax, tree
from connector.flows.expressions.evaluation import closure, metered
from connector.flows.expressions.functions import MAX_RESULT, EvaluationError, as_time, from_time
from connector.flows.expressions.syntax import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, SyntaxProblem, parse

SCOPE: dict[str, Any] = {
    "name": "Ann",
    "empty": "",
    "none": None,
    "number": 7,
    "price": 2.5,
    "yes": True,
    "no": False,
    "tags": ["vip", "new", 1],
    "deep": {"a": {"b": [{"c": "found"}]}, "class": "x", "items": 3},
    "time": "2026-03-25T10:30:00Z",
    "hostile": "${{ name }}",
}


def evaluate(text: str, scope: dict[str, Any] | None = None, times: bool = False) -> Any:
    """`times` says that comparisons are of times, as the checker finds."""
    node = parse(text)
    places = {node.at} if times and isinstance(node, tree.Binary) else set()
    return closure(node, places)(SCOPE if scope is None else scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a'", "a"),
        ('"a"', "a"),
        (r"'it\'s'", "it's"),
        (r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
        (r"'\u00e9\ud83d\ude00'", "é😀"),
        (r"'\ud83d'", "\ud83d"),
        ("'two\nlines'", "two\nlines"),
        ("12", 12),
        ("-1.5e2", -150.0),
        ("[1, 'a', [null]]", [1, "a", [None]]),
        ("[]", []),
        ("true", True),
        ("name", "Ann"),
        ("deep.a.b[0].c", "found"),
        ("deep['a']['b'][0]['c']", "found"),
        ("deep.class", "x"),
        ("deep.items", 3),
        ("deep.missing", None),
        ("deep['missing']", None),
        ("none?.a?.b", None),
        ("deep?.a?.b[0]", {"c": "found"}),
        ("tags[2]", 1),
        ("tags[3]", None),
        ("tags[0 - 1]", None),
        ("tags[size(tags) - 1]", 1),
        ("[][0]", None),
        ("!yes", False),
        ("!!yes", True),
        ("-number", -7),
        ("--3", 3),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("7 - 2 - 1", 4),
        ("7 / 2", 3.5),
        ("6 / 2", 3.0),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("-7.5 % 2", -1.5),
        ("price + 1", 3.5),
        ("'a' + \"b\"", "ab"),
        ("1 < 2", True),
        ("2 <= 2", True),
        ("1 > 1.5", False),
        ("'a' >= 'b'", False),
        ("1 == 1.0", True),
        ("true == 1", False),
        ("false == 0", False),
        ("null == false", False),
        ("none == null", True),
        ("'1' == 1", False),
        ("[1, [true]] == [1.0, [true]]", True),
        ("[1, [true]] == [1, [1]]", False),
        ("[1] == [1, 2]", False),
        ("deep == deep", True),
        ("deep != deep.a", True),
        ("'vip' in tags", True),
        ("true in tags", False),
        ("1.0 in tags", True),
        ("'a' in deep", True),
        ("'b' in deep", False),
        ("none ?? name", "Ann"),
        ("none ?? none ?? 'x'", "x"),
        ("empty ?? 'x'", ""),
        ("no ?? true", False),
        ("no && none.a", False),
        ("yes || none.a", True),
        ("number ?? none.a", 7),
        ("yes ? 'a' : none.a", "a"),
        ("no ? none.a : 'b'", "b"),
        ("no ? 1 : yes ? 2 : 3", 2),
        ("yes || yes && no", True),
        ("1 + 1 == 2 && !no", True),
        ("none ?? no ? 1 : 2", 2),
        ("number in [7] == true", True),
        ("size('é😀')", 2),
        ("size(tags)", 3),
        ("deep.size()", 3),
        ("lower('ÄB')", "äb"),
        ("name.upper().lower()", "ann"),
        ("'a'.upper() + 'b'", "Ab"),
        ("trim(' a\t')", "a"),
        ("string(1.0)", "1.0"),
        ("string(true)", "true"),
        ("string('a')", "a"),
        ("contains(name, 'nn')", True),
        ("name.starts_with('A')", True),
        ("ends_with(name, 'A')", False),
        ("replace('aXbX', 'X', '--')", "a--b--"),
        ("first(tags)", "vip"),
        ("last(tags)", 1),
        ("first([])", None),
        ("replace(name, '', 'x')", "Ann"),
        ("default(none, 'x')", "x"),
        ("empty.default('x')", ""),
        ("default(number, none.a)", 7),
        ("add_duration(time, '15m')", "2026-03-25T10:45:00Z"),
        ("add_duration('2026-03-25T10:30:00+02:00', '1d')", "2026-03-26T08:30:00Z"),
        ("hostile", "${{ name }}"),
        ("hostile + '${{ name }}'", "${{ name }}${{ name }}"),
        (" \n\tname ", "Ann"),
    ],
)
def test_expression_has_value(text: str, value: Any) -> None:
    result = evaluate(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("time < '2026-03-25T10:30:00.5Z'", True),
        ("time == '2026-03-25T12:30:00+02:00'", True),
        ("time != '2026-03-25T10:30:00z'", False),
        ("time >= '2026-03-25T12:30:00'", False),
        ("time == none", False),
    ],
)
def test_times_compare_as_moments(text: str, value: bool) -> None:
    assert evaluate(text, times=True) is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "there is no 'nothing'"),
        ("none.a", "null has no field 'a'"),
        ("name.a", "'Ann' has no field 'a'"),
        ("name.upper", "'Ann' has no field 'upper'"),
        ("name?.a", "'Ann' has no field 'a'"),
        ("tags.a", "a list has no field 'a'"),
        ("tags['a']", "a list has no element 'a'"),
        ("tags[true]", "a list has no element true"),
        ("deep[0]", "an object has no element 0"),
        ("name[0]", "'Ann' has no element 0"),
        ("!number", "7 is neither true nor false"),
        ("yes && none", "null is neither true nor false"),
        ("name ? 1 : 2", "'Ann' is neither true nor false"),
        ("-name", "- needs a number, not 'Ann'"),
        ("-yes", "- needs a number, not true"),
        ("name + 1", "'Ann' + 1 needs two numbers"),
        ("yes + 1", "true + 1 needs two numbers"),
        ("1 / 0", "1 / 0 has no value"),
        ("1 % 0", "1 % 0 has no value"),
        ("1.5 % 0", "1.5 % 0 has no value"),
        ("9223372036854775807 + 1", "9223372036854775807 + 1 has no value"),
        ("1e308 * 10", "1e+308 * 10 has no value"),
        ("1 < 'a'", "1 and 'a' have no order"),
        ("yes < no", "true and false have no order"),
        ("none < none", "null and null have no order"),
        ("1 in name", "`in` needs a list on its right, not 'Ann'"),
        ("size(none)", "size cannot be applied to null"),
        ("size(7)", "size cannot be applied to 7"),
        ("lower(tags)", "lower cannot be applied to a list"),
        ("string(deep)", "string cannot be applied to an object"),
        ("contains(tags, 'vip')", "contains cannot be applied to a list"),
        ("first(name)", "first cannot be applied to 'Ann'"),
        ("first(deep)", "first cannot be applied to an object"),
        ("starts_with(name, tags)", "starts_with cannot be applied to a list"),
        ("exists(name, x, true)", "exists cannot be applied to 'Ann'"),
        ("map(none, x, x)", "map cannot be applied to null"),
        ("tags.filter(x, x)", "'vip' is neither true nor false"),
        ("tags.exists(x, x)", "'vip' is neither true nor false"),
        ("tags.all(x, x)", "'vip' is neither true nor false"),
        ("tags.map(x, y)", "there is no 'y'"),
        ("int(1e300)", "int(1e+300) has no value"),
        ("int(-1e300)", "int(-1e+300) has no value"),
        ("int(yes)", "int cannot be applied to true"),
        ("join([none], '')", "join cannot be applied to a list with null"),
        ("join([deep], '')", "join cannot be applied to a list with an object"),
        ("format_time(time, name)", "'Ann' is not a pattern of a time: write '%d.%m.%Y %H:%M'"),
        ("format_time(time, '%Y', name)", "'Ann' is not a time zone"),
        ("format_time('0001-01-01T00:00:00Z', '%Y', 'America/Lima')", "'0001-01-01T00:00:00Z' is no time of the cal"),
        ("within(time, name, 'UTC')", "'Ann' is no hours of a week: write days as Mon Tue"),
        ("within(name, 'Mon', 'UTC')", "'Ann' is not a time such as"),
        ("age(time)", "there is no 'run'"),
        ("add_duration(name, '1d')", "'Ann' is not a time such as 2026-03-25T10:30:00Z"),
        ("add_duration(time, 'soon')", "'soon' is not a duration"),
        ("add_duration('9999-12-31T00:00:00Z', '36500d')", "'9999-12-31T00:00:00Z' plus '36500d' is no time"),
    ],
)
def test_expression_without_value_raises_evaluation_error(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        evaluate(text)
    assert str(raised.value).startswith(message)


LARGE = {"large": "a" * MAX_RESULT, "half": "é" * (MAX_RESULT // 2 + 1), "many": ["a" * 100_000] * 6}


@pytest.mark.parametrize(
    "text",
    [
        "large + 'a'",
        "replace(large, 'a', 'bb')",
        "replace(large, 'a', large)",
        "upper('ß' + half + half)",
        "upper(replace(large, 'a', 'ß'))",
        "[large, 'a']",
        "[many, [many]]",
        "json(large)",
        "json([many]) + json([many])",
        "url_encode(half)",
        "join(many, large)",
        "join([large, large], '')",
        "[1, 2].map(x, large)",
        "many.map(x, many)",
    ],
)
def test_result_beyond_one_megabyte_raises_evaluation_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="longer than 1000000 characters"):
        evaluate(text, LARGE)


@pytest.mark.parametrize(
    "text",
    [
        "large",
        "replace(large, 'a', 'b')",
        "[many]",
        "upper(large)",
        "join(split(large, 'b'), '')",
        "join(many, '')",
        "many.filter(x, true)",
        "many.map(x, x)",
    ],
)
def test_result_of_one_megabyte_is_allowed(text: str) -> None:
    assert evaluate(text, LARGE)


BUSY = {
    "text": "é" * MAX_RESULT,
    "half": "é" * 400_000,
    "codes": "?a=" + "%41" * 120_000,
    "many": ["a"] * 60_000,
    "some": ["a"] * 300,
    "time": "2026-03-25T10:30:00Z",
    "object": {str(number): [number] for number in range(60_000)},
}


@pytest.mark.parametrize(
    "text",
    [
        "many == many",
        "many != many",
        "object == object",
        "'x' in many",
        "[many]",
        " && ".join(["upper(text) != ''"] * 6),
        " && ".join(["contains(text, 'x') || true"] * 11),
        "text" + ".upper().lower()" * 6,
        " && ".join(["text + '' != ''"] * 11),
        "json(many)",
        "json(object)",
        "split(text, 'é')",
        "join(many, '')",
        "url_encode(text)",
        "url_query('?' + replace(half, 'é', '&a'))",
        "url_query(codes)",
        " && ".join(["url_host(text) == null"] * 4),
        " && ".join(["url_path(text) != null"] * 4),
        "many.exists(x, false)",
        "many.all(x, true)",
        "many.filter(x, true)",
        "many.map(x, 1)",
        "some.exists(x, some.exists(y, some.exists(z, x + y == z)))",
        "some.map(x, half + x)",
        "some.map(x, some.map(y, x))",
        "some.map(x, some.map(y, format_time(time, '%d.%m.%Y', 'Europe/Berlin')))",
    ],
)
def test_much_to_read_raises_evaluation_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="the expression has too much to read"):
        metered(closure(parse(text)))(BUSY)


def test_each_evaluation_has_its_own_limit() -> None:
    evaluate = metered(closure(parse("text.upper().lower().trim() == text")))
    assert [evaluate(BUSY) for _ in range(3)] == [True] * 3
    assert "" not in BUSY


def test_values_nested_deeply_are_compared() -> None:
    left: Any = 1
    right: Any = 1.0
    for _ in range(10_000):
        left, right = [left], [right]
    assert evaluate("a == b", {"a": left, "b": right}) is True


def test_message_shortens_and_escapes_what_a_visitor_wrote() -> None:
    with pytest.raises(EvaluationError) as raised:
        evaluate("text.a", {"text": "\x1b[31m\ud800\0" + "x" * 1000})
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("a.", "expected the name of a field before the end", "."),
        ("a.1", "expected the name of a field before '1'", "1"),
        ("(a", "expected ')' before the end", "a"),
        ("a)", "the expression should end before ')'", ")"),
        ("[a", "expected ',' or ']' before the end", "a"),
        ("f(a,)", "expected a value before ')'", ")"),
        ("a ? b", "expected ':' before the end", "b"),
        ("a b", "the expression should end before 'b'", "b"),
        ("&& a", "expected a value before '&&'", "&&"),
        ("a in", "expected a value before the end", "n"),
        ("in a", "expected a value before 'in'", "in"),
        ("a = b", "'=' has no meaning here", "="),
        ("a & b", "'&' has no meaning here", "&"),
        ("a and b", "the expression should end before 'and'", "and"),
        ("not a", "expected a value before 'not'", "not"),
        ("None", "expected a value before 'None'", "None"),
        ("é", "'é' has no meaning here", "é"),
        ("٣", "'٣' has no meaning here", "٣"),
        ("'a", "a text is not closed", "'a"),
        (r"'\d'", r"'\\d' is not an escape", r"\d"),
        (r"'\u12'", r"'\\u' is not an escape", r"\u"),
        ("01", "'01' is not a JSON number", "01"),
        (".5", "expected a value before '.'", "."),
        ("1e999", "the number is too large", "1e999"),
        ("9" * 19, "the number is too large", "9" * 19),
        ("15m", "15m is not a number", "15m"),
        ("a?.b()", "a function cannot be called with `?.`, as here 'b'", "b"),
        ("{a: 1}", "'{' has no meaning here", "{"),
        ("xs.exists(x => x)", "'=>' has no meaning here", "=>"),
        ("xs.exists(x)", "exists takes a list, a name for an item and a condition", "exists(x)"),
        ("map(xs, x, x, x)", "map takes a list, a name for an item and what to make of it", "map(xs, x, x, x)"),
        ("xs.all(x.y, true)", "all needs a name for an item here", "x.y"),
        ("xs.all('x', true)", "all needs a name for an item here", "'x'"),
        ("xs.filter((x), true)", "filter needs a name for an item here", "(x)"),
        ("xs.filter(true, true)", "filter needs a name for an item here", "true"),
        ("a?.[0]", "expected the name of a field before '['", "["),
        ("", "there is no expression here", ""),
        (" \n", "there is no expression here", " \n"),
        ("${{ a }}", "'$' has no meaning here", "$"),
    ],
)
def test_text_that_is_no_expression_has_its_problem(text: str, message: str, marked: str) -> None:
    with pytest.raises(SyntaxProblem) as raised:
        parse(text)
    problem = raised.value
    assert problem.message == message
    assert text[problem.start : problem.end] == marked


LIMITS = {
    "characters": ("a" * MAX_CHARACTERS, "a" * (MAX_CHARACTERS + 1)),
    "brackets": ("(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1), "(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH),
    "lists": ("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), "[" * 24 + "a" + "]" * 24),
    "operators": ("!" * (MAX_DEPTH - 1) + "a", "!" * MAX_DEPTH + "a"),
    "conditionals": ("a ? b : " * (MAX_DEPTH - 1) + "c", "a ? b : " * MAX_DEPTH + "c"),
    "fields": ("a" + ".b" * MAX_DEPTH, "a" + ".b" * (MAX_DEPTH + 1)),
    "macros": ("xs.map(x, " * 23 + "x" + ")" * 23, "xs.map(x, " * 24 + "x" + ")" * 24),
    "parts": ("+".join(["a"] * (MAX_NODES // 2)), "+".join(["a"] * (MAX_NODES // 2 + 1))),
}


@pytest.mark.parametrize(("most", "more"), LIMITS.values(), ids=LIMITS.keys())
def test_expression_at_the_limit_is_read_and_one_beyond_it_refused(most: str, more: str) -> None:
    assert closure(parse(most))
    with pytest.raises(SyntaxProblem):
        parse(more)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("a&&b", "(a && b)"),
        ("((a) == (\"x\"))", '(a == "x")'),
        ("a?.b . c[ 'd' ]", 'a?.b.c["d"]'),
        ("a.f(b)", "f(a, b)"),
        ("f( a,b )", "f(a, b)"),
        ("!a", "!(a)"),
        ("xs.map( x,x .a)", "map(xs, x, x.a)"),
        ("exists(xs, x, (x))", "exists(xs, x, x)"),
        ("- 5", "-5"),
        ("a ? b:c", "(a ? b : c)"),
        ("[ 1 ,'é' ]", r'[1, "\u00e9"]'),
    ],
)  # fmt: skip
def test_rendered_tree_is_the_same_for_the_same_meaning(text: str, rendered: str) -> None:
    assert tree.render(parse(text)) == rendered


def test_nodes_know_their_range_with_brackets() -> None:
    text = "(a ?? b).c + f(d)"
    node = parse(text)
    assert isinstance(node, tree.Binary)
    assert text[node.at] == "+"
    assert [text[child.start : child.end] for child in tree.children(node)] == ["(a ?? b).c", "f(d)"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no holes { } }} $", []),
        ("a ${{ b }} c ${{d}}", [" b ", "d"]),
        ("${{ '}}' }}", [" '}}' "]),
        ("${{ \"}}\" }} ${{ '\\'}}' }}", [' "}}" ', " '\\'}}' "]),
        ("${{ a }}}", [" a "]),
        ("${{}}", [""]),
        ("it's ${{ a }} and it's", [" a "]),
        ("${{ 'open }} ${{ b }}", [" 'open ", " b "]),
        ("${{ it's }} it's", [" it's "]),
        ("${{ a }} ${{ b", [" a ", None]),
        ("${{ ${{ a }}", [" ${{ a "]),
    ],
)
def test_holes_end_outside_of_quotes(text: str, found: list[str | None]) -> None:
    assert [hole.expression if hole.end >= 0 else None for hole in holes.find(text)] == found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-25T10:30:00Z", "2026-03-25T10:30:00Z"),
        ("2026-03-25T12:30:00+02:00", "2026-03-25T10:30:00Z"),
        ("2026-03-25T10:30:00", "2026-03-25T10:30:00Z"),
        ("2026-03-25T10:30:00.25Z", "2026-03-25T10:30:00.250000Z"),
    ],
)
def test_time_is_read_as_utc(text: str, moment: str) -> None:
    assert from_time(as_time(text)) == moment


@pytest.mark.parametrize("value", ["", "soon", None, 5, [], "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_raises_evaluation_error(value: Any) -> None:
    with pytest.raises(EvaluationError, match="is not a time such as"):
        as_time(value)


def test_syntax_problem_of_hostile_name_stays_short() -> None:
    with pytest.raises(SyntaxProblem) as raised:
        syntax.parse("a " + "b" * 3000)
    assert len(raised.value.message) < 200
