import pytest

from connector.flows import types
from connector.flows.document import Scalar, Source
from connector.flows.expressions.functions import EvaluationError
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report, render
from connector.flows.slots import Expression, Slots
from connector.flows.types import ANY, BOOL, INT, NULL, NUMBER, STR, TIME, ListOf, Object, Simple, Type


def nullable(kind: Type) -> Type:
    return types.union([kind, NULL])


WORDS = Simple("str", words=("new", "won"))
CARD = types.record("Card", {"kind": types.literal("card"), "number": STR, "note": STR})
BANK = types.record("Bank", {"kind": types.literal("bank"), "iban": nullable(STR), "note": INT})
PERSON = types.record("Person", {"name": STR, "friend": nullable(types.record("Friend", {"name": nullable(STR)}))})
OPEN = Object("Open", {"id": STR, "maybe": STR}, frozenset({"id"}), ANY)
NAMES: dict[str, Type] = {
    "s": STR,
    "sn": nullable(STR),
    "i": INT,
    "n": NUMBER,
    "b": BOOL,
    "bn": nullable(BOOL),
    "t": TIME,
    "tn": nullable(TIME),
    "e": WORDS,
    "en": nullable(WORDS),
    "ls": ListOf(STR),
    "people": ListOf(PERSON),
    "lsn": nullable(ListOf(nullable(STR))),
    "p": PERSON,
    "pn": nullable(PERSON),
    "pay": types.union([CARD, BANK]),
    "open": OPEN,
    "map": Object("map", {}, extra=INT),
    "any": ANY,
    "status": types.record("status", {"a": WORDS, "b": Simple("str", words=("succeeded", "failed"))}),
    "steps": types.record("steps", {"a": nullable(PERSON), "b": nullable(PERSON)}),
}


def infer(text: str, wanted: Type = ANY) -> tuple[Expression | None, list[str]]:
    """The expression and its problems, each as `message; hint [rule]`."""
    report, source = Report("f"), Source(text)
    node = Scalar(text, text, None, 0, len(text))
    expression = Slots(source, report).expression(node, Known(NAMES), wanted)
    return expression, [render(p, text).split("\n")[0].split(": ", 1)[1] for p in report.problems()]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'a'", "'a'"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("null", "null"),
        ("-1", "-1"),
        ("[]", "list[nothing]"),
        ("['a', 'b', s, null]", "list[str | null]"),
        ("s", "str"),
        ("p.friend", "Friend | null"),
        ("p.friend?.name", "str | null"),
        ("pn?.name", "str | null"),
        ("pn?.friend?.name", "str | null"),
        ("any.a.b[0]['c'].d", "any"),
        ("any?.a", "any"),
        ("ls[0]", "str | null"),
        ("[][0]", "null"),
        ("map.a", "int | null"),
        ("map['a']", "int | null"),
        ("map[s]", "int | null"),
        ("p['name']", "str"),
        ("p[s]", "str | Friend | null"),
        ("open.id", "str"),
        ("open.maybe", "str | null"),
        ("open['other']", "any"),
        ("pay.kind", "'card' | 'bank'"),
        ("pay.note", "str | int"),
        ("!b", "bool"),
        ("-i", "int"),
        ("-n", "number"),
        ("i + 1", "int"),
        ("i % 2", "int"),
        ("i / 2", "number"),
        ("i * 1.5", "number"),
        ("s + 'a'", "str"),
        ("any + 'a'", "str"),
        ("any + 1", "number"),
        ("any + any", "any"),
        ("i < n", "bool"),
        ("s in ls", "bool"),
        ("'a' in map", "bool"),
        ("'a' in any", "bool"),
        ("sn ?? 'x'", "str"),
        ("sn ?? null", "str | null"),
        ("sn ?? i", "str | int"),
        ("null ?? i", "int"),
        ("s ?? 'x'", "str"),
        ("lsn ?? []", "list[str | null]"),
        ("b ? 'a' : 1", "'a' | 1"),
        ("b ? sn : null", "str | null"),
        ("size(ls)", "int"),
        ("lower(e)", "str"),
        ("first(ls)", "str | null"),
        ("first(lsn ?? [])", "str | null"),
        ("last(b ? ls : [1])", "str | 1 | null"),
        ("last(any)", "any"),
        ("add_duration(t, '1d')", "time"),
        ("any", "any"),
        ("int(s)", "int | null"),
        ("int(n)", "int"),
        ("int(b ? s : i)", "int | null"),
        ("int(any)", "int | null"),
        ("number(s)", "number | null"),
        ("number(i)", "int"),
        ("number(1.5)", "number"),
        ("number(any)", "number | null"),
        ("split(s, ',')", "list[str]"),
        ("join(ls, ', ')", "str"),
        ("join([1, 's', true], ', ')", "str"),
        ("default(sn, 'x')", "str"),
        ("default(null, i)", "int"),
        ("json(p)", "str"),
        ("url_host(s)", "str | null"),
        ("url_path(s)", "str | null"),
        ("url_query(s)", "map[str]"),
        ("url_query(s).utm_source", "str | null"),
        ("format_time(t, '%Y')", "str"),
        ("format_time(t, b ? '%Y' : '%m', b ? 'UTC' : 'Europe/Berlin')", "str"),
        ("within(t, 'Mon', 'UTC')", "bool"),
        ("ls.exists(x, x == 'a')", "bool"),
        ("all(ls, x, x == 'a')", "bool"),
        ("ls.filter(x, x == 'a')", "list[str]"),
        ("any.filter(x, x == 'a')", "list[any]"),
        ("any.map(x, x.a)", "list[any]"),
        ("[].map(x, x.a)", "list[nothing]"),
        ("[].filter(x, x.a == 1)", "list[nothing]"),
        ("ls.map(x, size(x))", "list[int]"),
        ("ls.map(x, ls.map(y, x + y))", "list[list[str]]"),
        ("[1, null].filter(x, x != null)", "list[1]"),
        ("(lsn ?? []).filter(x, x != null && b)", "list[str]"),
        ("(lsn ?? []).filter(x, x != null || b)", "list[str | null]"),
        ("(lsn ?? []).filter(x, sn != null)", "list[str | null]"),
        ("(b ? ls : [1]).map(x, x)", "list[str | 1]"),
        ("people.map(x, x.friend)", "list[Friend | null]"),
        ("people.filter(x, x.friend != null).map(x, x.friend)", "list[Friend]"),
        ("people.filter(x, x.friend?.name != null).map(x, x.friend.name)", "list[str]"),
        ("[open].filter(x, x.maybe != null).map(x, x.maybe)", "list[str]"),
    ],
)
def test_expression_has_type(text: str, shown: str) -> None:
    expression, problems = infer(text)
    assert problems == []
    assert expression is not None
    assert str(expression.type) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sn != null && size(sn) > 0",
        "null != sn && size(sn) > 0",
        "sn == null || size(sn) > 0",
        "!(sn == null) && size(sn) > 0",
        "!(sn == null || b) && size(sn) > 0",
        "b && (sn != null && b) && size(sn) > 0",
        "sn == null ? b : size(sn) > 0",
        "sn != null ? size(sn) > 0 : b",
        "sn == 'x' && size(sn) > 0",
        "sn != 'x' || size(sn) > 0",
        "bn == true && bn",
        "(sn != null && b || sn == 'a') && size(sn) > 0",
        "pn != null && pn.name == 'a'",
        "pn?.friend != null && pn.friend.name == 'a'",
        "pn?.friend?.name != null && size(pn.friend.name) > 0",
        "p.friend != null && p.friend?.name != null && size(p.friend.name) > 0",
        "p['friend'] != null && p.friend.name == 'a'",
        "ls[0] != null && size(ls[0]) > 0",
        "map.a != null && map['a'] > 1",
        "en != null && lower(en) == 'a'",
        "status.b == 'succeeded' && steps.b.name == 'a'",
        "!(status.b != 'succeeded') && steps.b.name == 'a'",
        "people.exists(x, x.friend != null && x.friend.name == 'a')",
        "sn != null && people.exists(x, x.name == sn.lower())",
        "people.exists(x, sn != null && b) && size(sn) > 0",
        "people.all(x, sn == null || b) || size(sn) > 0",
    ],
)
def test_condition_rules_out_null(text: str) -> None:
    assert infer(text, BOOL)[1] == []


@pytest.mark.parametrize(
    "text",
    [
        "sn != null || size(sn) > 0",
        "sn == null && size(sn) > 0",
        "!(sn != null) && size(sn) > 0",
        "!(sn == null && b) && size(sn) > 0",
        "(sn != null || b) && size(sn) > 0",
        "(sn != null && b || b) && size(sn) > 0",
        "sn != null ? b : size(sn) > 0",
        "sn != 'x' && size(sn) > 0",
        "sn == 'x' || size(sn) > 0",
        "sn == sn && size(sn) > 0",
        "size(sn) > 0 && sn != null",
        "pn?.friend?.name == null && pn.name == 'a'",
        "pn?.friend?.name != 'x' && pn.name == 'a'",
        "(pn?.name ?? 'x') != null && pn.name == 'a'",
        "ls[0] != null && size(ls[1]) > 0",
        "ls[i] != null && size(ls[i]) > 0",
        "p.friend != null && pn.friend != null",
        "status.b != 'failed' && steps.b.name == 'a'",
        "status.b == 'succeeded' && steps.a.name == 'a'",
        "status.b != 'succeeded' && steps.b.name == 'a'",
        "people.exists(x, x.friend != null) && people.exists(x, x.friend.name == 'a')",
        "people.all(x, sn != null) && size(sn) > 0",
        "people.exists(x, sn == null) || size(sn) > 0",
        "people.filter(x, sn != null) != [] && size(sn) > 0",
        "people.filter(x, x.friend != null || b).exists(x, x.friend.name == 'a')",
        "people.filter(x, x.friend == null).exists(x, x.friend.name == 'a')",
    ],
)
def test_condition_that_does_not_rule_out_null_leaves_a_problem(text: str) -> None:
    problems = infer(text, BOOL)[1]
    assert len(problems) == 1
    assert problems[0].endswith("[nullable]")


@pytest.mark.parametrize(
    ("text", "wanted", "problem"),
    [
        ("s", BOOL, "s is str, but bool is expected; write s != '' [type]"),
        ("sn", BOOL, "sn is str | null, but bool is expected; write sn != null [type]"),
        ("bn", BOOL, "bn may be null, but bool is expected"),
        ("i", BOOL, "i is int, but bool is expected; write i != 0 [type]"),
        ("ls", BOOL, "ls is list[str], but bool is expected; write size(ls) > 0 [type]"),
        ("p", BOOL, "p is Person, but bool is expected [type]"),
        ("1", BOOL, "1 is int, but bool is expected; write 1 != 0 [type]"),
        ("n", INT, "n is number, but int is expected; write int(n) [type]"),
        ("true", INT, "true is bool, but int is expected [type]"),
        ("'won '", WORDS, "'won ' is str, but 'new' | 'won' is expected; did you mean 'won'? [type]"),
        ("s", WORDS, "s is str, but 'new' | 'won' is expected [type]"),
        ("s", TIME, "s is str, but time is expected; write one such as '2026-03-25T10:30:00Z' [type]"),
        ("t + '15m'", TIME, "t + '15m' is str, but time is expected; write add_duration(TIME, '15m') [type]"),
        ("ls", STR, "ls is list[str], but str is expected"),
        ("sn.name", ANY, "sn may be null; add the condition sn != null, or write sn?.name [nullable]"),
        ("s.name", ANY, "s is str and has no field 'name' [unknown-field]"),
        ("s.length", ANY, "s is str and has no field 'length'; write size(s) [unknown-field]"),
        ("s.toLowerCase()", ANY, "there is no function 'toLowerCase'; write lower(…) [unknown-function]"),
        ("ls.name", ANY, "ls is list[str] and has no field 'name'; pick an item first: ls[0] [unknown-field]"),
        ("p.nam", ANY, "p (Person) has no field 'nam'; did you mean 'name'? [unknown-field]"),
        ("p['nam']", ANY, "p (Person) has no field 'nam'; did you mean 'name'? [unknown-field]"),
        ("pay.iban", ANY, "pay (Card) has no field 'iban'; expected kind, note or number [unknown-field]"),
        ("open.other", ANY, "open (Open) has no field 'other'"),
        ("steps.c", ANY, "there is no step 'c' before this one; expected a or b [unknown-step]"),
        ("nothing", ANY, "there is no 'nothing' here; a text needs quotes: 'nothing' [unknown-name]"),
        ("name", ANY, "there is no 'name' here; a text needs quotes: 'name' [unknown-name]"),
        ("a", ANY, "there is no 'a' here; write steps.a [unknown-name]"),
        ("lower", ANY, "there is no 'lower' here; lower is a function: write lower(…) [unknown-name]"),
        ("run.id", ANY, "there is no 'run' here; the run has not started here [unknown-name]"),
        (
            "vars.x",
            ANY,
            "there is no 'vars' here; only steps and outputs read it, below `vars: {NAME: VALUE}` [unknown-name]",
        ),
        ("lowr(s)", ANY, "there is no function 'lowr'; did you mean 'lower'? [unknown-function]"),
        ("now()", ANY, "there is no function 'now'; write run.started_at [unknown-function]"),
        ("lower()", ANY, "lower takes 1 argument, not 0; write lower(str) [arguments]"),
        ("s.replace('a')", ANY, "replace takes 3 arguments, not 2; write replace(str, str, str) [arguments]"),
        ("lower(sn)", ANY, "sn may be null, but str is expected"),
        ("lower(i)", ANY, "i is int, but str is expected; write string(i) [type]"),
        ("lower(5)", ANY, "5 is int, but str is expected; write '5' [type]"),
        ("first(lsn)", ANY, "lsn may be null, but list[any] is expected"),
        ("add_duration(t, s)", ANY, "s is str, but duration is expected; write one such as '15m' [type]"),
        ("add_duration(t, '15 m')", ANY, "'15 m' is str, but duration is expected; write one such as '15m' [type]"),
        ("contains(ls, 'a')", ANY, "ls is list[str], but str is expected"),
        ("'a' in s", ANY, "`in` needs a list or an object on its right, but s is str"),
        ("i in ls", ANY, "i is int and ls is list[str]: it is never among them [comparison]"),
        ("i in map", ANY, "i is int, but str is expected; write string(i) [type]"),
        ("e in ['new', 'wom']", ANY, "'wom' is not among the values 'new' | 'won'"),
        ("e == 'wom'", ANY, "'wom' is not among the values 'new' | 'won'; did you mean 'won'? [comparison]"),
        ("'wom' != en", ANY, "'wom' is not among the values 'new' | 'won'; did you mean 'won'? [comparison]"),
        ("pay.kind == 'cash'", ANY, "'cash' is not among the values 'card' | 'bank'"),
        ("i == '1'", ANY, "i is int and '1' is str: they are never equal; write 1 without quotes [comparison]"),
        ("b == 'true'", ANY, "b is bool and 'true' is str: they are never equal"),
        ("b == 1", ANY, "b is bool and 1 is int: they are never equal [comparison]"),
        ("s == ls", ANY, "s is str and ls is list[str]: they are never equal [comparison]"),
        ("'a' == 'b'", ANY, "'a' is str and 'b' is str: they are never equal [comparison]"),
        ("s < i", ANY, "i is int, but str is expected; write string(i) [type]"),
        ("b < b", ANY, "b is bool, but number is expected [type]"),
        ("sn < 'a'", ANY, "sn may be null, but str is expected"),
        ("t < s", ANY, "s is str, but time is expected; write one such as '2026-03-25T10:30:00Z' [type]"),
        ("t < 'soon'", ANY, "'soon' is str, but time is expected; write one such as '2026-03-25T10:30:00Z' [type]"),
        ("tn < t", ANY, "tn may be null, but time is expected"),
        ("1 < i < 3", ANY, "comparisons do not chain; write a < b && b < c [type]"),
        ("s + 1", ANY, "1 is int, but str is expected; write '1' [type]"),
        ("1 + s", ANY, "1 is int, but str is expected; write '1' [type]"),
        ("s - 1", ANY, "s is str, but number is expected; write (number(s) ?? 0) [type]"),
        ("b + 1", ANY, "b is bool, but number is expected [type]"),
        ("-s", ANY, "s is str, but number is expected; write (number(s) ?? 0) [type]"),
        ("!s", ANY, "s is str, but bool is expected; write s != '' [type]"),
        ("sn || 'x'", ANY, "sn is str | null, but bool is expected; for a default write sn ?? 'x' [type]"),
        ("s || b", ANY, "s is str, but bool is expected; write s != '' [type]"),
        ("s && b", ANY, "s is str, but bool is expected; write s != '' [type]"),
        ("s ? 1 : 2", ANY, "s is str, but bool is expected; write s != '' [type]"),
        ("sn ?? '' == 'x'", ANY, "the default of sn is a condition"),
        ("b && sn ?? 'x'", ANY, "b && sn is never null"),
        ("ls[-1]", ANY, "a list has no element -1; they count from 0; write last(ls) for the last one [type]"),
        ("ls['a']", ANY, "'a' is str, but int is expected [type]"),
        ("p[0]", ANY, "0 is int, but str is expected; write '0' [type]"),
        ("s[0]", ANY, "s is str, but a list or an object is expected; write split(s, ',') to take it apart [type]"),
        ("lsn[0]", ANY, "lsn may be null; add the condition lsn != null, or write (lsn ?? [])[0] [nullable]"),
        ("ls.map(ls, ls)", ANY, "there is another 'ls' here already; take another name, such as x [name]"),
        ("ls.map(x, ls.map(x, x))", ANY, "there is another 'x' here already; take another name, such as y [name]"),
        ("ls.map(item, item)", ANY, "'item' is a word of the language; take another name, such as x [name]"),
        ("ls.map(output, 1)", ANY, "'output' is a word of the language; take another name, such as x [name]"),
        ("ls.map(lower, 1)", ANY, "'lower' is a word of the language; take another name, such as x [name]"),
        ("ls.map(all, 1)", ANY, "'all' is a word of the language; take another name, such as x [name]"),
        ("ls.exists(x, x)", ANY, "x is str, but bool is expected; write x != '' [type]"),
        ("ls.filter(x, size(x))", ANY, "size(x) is int, but bool is expected; write size(x) != 0 [type]"),
        ("lsn.map(x, x)", ANY, "lsn may be null, but a list is expected; write (lsn ?? []), or add the condition"),
        ("s.map(x, x.nothing)", ANY, "s is str, but a list is expected; write split(s, ',') to take it apart [type]"),
        ("people.exists(x, x.nam == 'a')", ANY, "x (Person) has no field 'nam'; did you mean 'name'? [unknown-field]"),
        ("ls.exist(x, x == 'a')", ANY, "there is no function 'exist'; did you mean 'exists'? [unknown-function]"),
        ("ls.some(x, x == 'a')", ANY, "there is no function 'some'; write exists(…) [unknown-function]"),
        ("ls.every(x, x == 'a')", ANY, "there is no function 'every'; write all(…) [unknown-function]"),
        ("ls.filter", ANY, "ls is list[str] and has no field 'filter'; write ls.filter(x, …) [unknown-field]"),
        (
            "join(people, '')",
            ANY,
            "people is list[Person], but list[str | number | bool] is expected; write people.map(",
        ),
        ("join(lsn ?? [], '')", ANY, "lsn ?? [] is list[str | null], but list[str | number | bool] is expected"),
        ("split(s, '')", ANY, "split needs a text to look for, not an empty one [arguments]"),
        ("replace(s, '', s)", ANY, "replace needs a text to look for, not an empty one [arguments]"),
        ("int(sn)", ANY, "sn may be null, but str | number is expected"),
        ("int(b)", ANY, "b is bool, but str | number is expected [type]"),
        ("int(s) + 1", ANY, "int(s) may be null, but number is expected; write (int(s) ?? 0) [nullable]"),
        (
            "format_time(t)",
            ANY,
            "format_time takes 2 or 3 arguments, not 1; write format_time(time, pattern) or format_",
        ),
        ("format_time(t, s)", ANY, "s is known only when the flow runs, but a pattern of a time must be written out"),
        ("format_time(t, '%Y', e)", ANY, "'new' is not a time zone; write one such as 'Europe/Berlin' [type]"),
        ("within(t, sn, 'UTC')", ANY, "sn is str | null, but the hours of a week is expected; write one such as"),
        ("age(t)", ANY, "age counts until run.started_at, and the run has not started here; write it in the `if` of a"),
        ("pn['name']", ANY, "pn may be null; add the condition pn != null [nullable]"),
    ],
)
def test_wrong_expression_has_its_problem(text: str, wanted: Type, problem: str) -> None:
    expression, problems = infer(text, wanted)
    assert expression is None
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_two_faults_of_an_expression_are_two_problems() -> None:
    _, problems = infer("nothing.a.b + 1 > 'x'.size() && other")
    assert [problem.split(";")[0] for problem in problems] == ["there is no 'nothing' here", "there is no 'other' here"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("any", BOOL), ("any.a", TIME), ("any ?? any", types.union([STR, INT]))],
)
def test_any_is_held_to_the_type_when_it_is_evaluated(text: str, wanted: Type) -> None:
    expression, _ = infer(text, wanted)
    assert expression is not None
    with pytest.raises(EvaluationError, match=r"is a list, but .* is expected"):
        expression.evaluate({"any": [] if text != "any.a" else {"a": []}})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("t < '2026-03-25T11:00:00Z'", True),
        ("t == '2026-03-25T10:30:00Z'", True),
        ("tn == t", True),
        ("tn == null", False),
        ("any < t", False),
        ("s < '2026-03-25T11:00:00Z'", False),
        ("any == t", False),
    ],
)
def test_times_compare_as_moments_and_texts_as_texts(text: str, value: bool) -> None:
    moment = "2026-03-25T12:30:00+02:00"
    expression, problems = infer(text)
    assert problems == []
    assert expression is not None
    scope = {"t": moment, "tn": "2026-03-25T10:30:00.000Z", "s": moment, "any": "2026-03-25T10:30:00Z"}
    assert expression.evaluate(scope) is value
