import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connector import registry, settings
from connector.adapter import Adapter
from connector.flows import document
from connector.flows.catalogue import Catalogue
from connector.flows.check import Checked, check
from connector.flows.flow import Call, Retry, Step
from connector.flows.folder import Folder
from connector.flows.problems import MOST, Place, Report, did_you_mean, render

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ERR = sorted((HERE / "err").glob("*.yaml"))
OK = sorted((HERE / "ok").glob("*.yaml"))

Check = Callable[[bytes | str], Checked]


def call(step: Step) -> Call:
    assert isinstance(step.does, Call)
    return step.does


@pytest.mark.parametrize("file", OK, ids=lambda file: file.stem)
def test_sound_flow_has_no_problems(file: Path, catalogue: Catalogue) -> None:
    checked = check(file.read_bytes(), file.name, catalogue)
    assert checked.problems == []
    assert checked.flow is not None


@pytest.mark.parametrize("file", ERR, ids=lambda file: file.stem)
def test_faulty_flow_has_the_problems_beside_it(
    file: Path, catalogue: Catalogue, render_problems: Callable[[Checked], str]
) -> None:
    """Where the new text is meant: python tests/flows/regenerate.py"""
    checked = check(file.read_bytes(), file.name, catalogue)
    assert checked.flow is None
    assert render_problems(checked) == file.with_suffix(".out").read_text("utf-8")


@pytest.mark.parametrize("kind", ["ok", "err"])
def test_flows_of_a_folder_have_the_problems_beside_them(
    kind: str, catalogue: Catalogue, render_problems: Callable[[Checked], str]
) -> None:
    files = sorted((HERE / "folders" / kind).glob("*.yaml"))
    folder = Folder({file.name: file.read_bytes() for file in files}, catalogue)
    for file in files:
        beside = file.with_suffix(".out")
        expected = beside.read_text("utf-8") if beside.exists() else ""
        assert render_problems(folder.check(file.name)) == expected


def test_flow_that_calls_others_is_another_revision_when_they_change(catalogue: Catalogue) -> None:
    sources = {file.name: file.read_text("utf-8") for file in (HERE / "folders/ok").glob("*.yaml")}
    changed = {**sources, "tell.yaml": sources["tell.yaml"] + "# more\n"}
    before, after = (Folder(files, catalogue).check("main.yaml").flow for files in (sources, changed))
    assert before is not None
    assert after is not None
    assert before.revision != after.revision


def lines_to_write() -> list[str]:
    """The lines that hints of faults of YAML show."""
    outputs = [
        file.with_suffix(".out").read_text("utf-8").split("\n")[0] for file in ERR if file.stem.startswith("yaml")
    ]
    hints = [output.rpartition("; write ")[2].rpartition(" [")[0] for output in outputs if "; write " in output]
    return [hint.removeprefix("- ") for hint in hints if ": " in hint and "`" not in hint and ">-" not in hint]


@pytest.mark.parametrize("line", lines_to_write())
def test_line_that_a_hint_shows_can_be_read(line: str) -> None:
    report = Report("f")
    assert document.parse(document.decode(line, report), report) is not None
    assert report.problems() == []


def test_example_of_the_documentation_checks_with_the_real_plugins(tmp_path: Path) -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][registry.GROUP]
    plugins = registry.load([EntryPoint(name, value, registry.GROUP) for name, value in points.items()])
    catalogue = Adapter(plugins, settings.load(tmp_path, environ={})).catalogue
    checked = check((ROOT / "docs/flows/lead-to-crm.yaml").read_bytes(), "lead-to-crm.yaml", catalogue)
    assert [render(problem, checked.source) for problem in checked.problems] == []


def test_checked_flow_has_what_the_file_says(check_text: Check) -> None:
    flow = check_text((HERE / "ok" / "lead.yaml").read_text("utf-8")).flow
    assert flow is not None
    assert (flow.name, flow.enabled, flow.started_by.id) == ("lead", True, "leads")
    assert (flow.started_by.uses, flow.started_by.connection) == ("crm.lead", "acme")
    assert flow.started_by.input == {"agent_id": "abc123", "events": ["lead.captured", "lead.updated"]}
    assert flow.started_by.condition is not None
    assert flow.started_by.condition.evaluate({"trigger": {"visitor_email": "a@b"}}) is False
    assert flow.dedupe is not None
    assert flow.dedupe.window == 86_400
    assert flow.dedupe.key.evaluate({"trigger": {"visitor_email": "Ann@B"}}) == "ann@b"
    contact, chat, takeover = flow.steps
    assert (contact.id, contact.name, call(contact).connection) == ("contact", "Create or update the contact", "acme")
    assert (call(contact).retry, call(contact).timeout) == (Retry(6, 2, 300), 30)
    assert (call(chat).retry, call(chat).timeout, call(chat).connection) == (Retry(6, 1, 60), 300, "default")
    assert chat.condition is None
    assert takeover.condition is not None
    assert takeover.not_after is not None
    assert not call(takeover).continue_on_error
    assert flow.outputs is not None


def test_defaults_stand_where_the_file_says_nothing(check_text: Check) -> None:
    flow = check_text("flow: a\ntrigger: {uses: crm.lead}\nsteps: [{id: a, uses: crm.payment}]\n").flow
    assert flow is not None
    assert (flow.description, flow.enabled, flow.dedupe, flow.outputs, flow.on_error) == ("", True, None, None, ())
    assert flow.started_by.input == {}
    assert call(flow.steps[0]).input.render({}) == {}


def test_longest_delay_is_at_least_the_first(check_text: Check) -> None:
    text = "flow: a\ntrigger: {uses: crm.lead}\nsteps: [{id: a, uses: crm.payment, retry: {delay: 10m}}]\n"
    flow = check_text(text).flow
    assert flow is not None
    assert call(flow.steps[0]).retry == Retry(6, 600, 600)


def test_revision_depends_on_the_text_alone(catalogue: Catalogue) -> None:
    text = (HERE / "ok" / "texts.yaml").read_text("utf-8")
    revisions = {
        checked.flow.revision
        for checked in (
            check(text, "a", catalogue),
            check(text.encode(), "b", catalogue),
            check(text.replace("\n", "\r\n"), "c", catalogue),
            check(b"\xef\xbb\xbf" + text.encode(), "d", catalogue),
        )
        if checked.flow
    }
    assert len(revisions) == 1
    other = check(text + "# more\n", "a", catalogue).flow
    assert other is not None
    assert other.revision not in revisions


def test_problems_as_json_have_place_rule_message_and_hint(check_text: Check) -> None:
    [problem] = check_text("flow: a\ntrigger: {uses: crm.lead}\nsteps:\n- {id: a, uses: crm.paiment}\n").problems
    assert problem.as_json() == {
        "path": "leads.yaml",
        "line": 4,
        "column": 17,
        "end_column": 28,
        "rule": "unknown-action",
        "message": "there is no action 'crm.paiment'",
        "hint": "did you mean 'crm.payment'?",
    }


def test_problems_are_sorted_and_not_repeated() -> None:
    report = Report("f")
    for line, column in ((2, 1), (1, 9), (1, 10), (2, 1)):
        report.add(Place(line, column, column + 1), "type", "x")
    assert [(problem.line, problem.column) for problem in report.problems()] == [(1, 9), (1, 10), (2, 1)]


def test_more_problems_than_the_report_holds_are_cut_off(check_text: Check) -> None:
    keys = "".join(f"key{number}: 1\n" for number in range(MOST + 50))
    checked = check_text(keys)
    assert len(checked.problems) == MOST + 1
    assert checked.problems[-1].rule == "more-problems"
    assert checked.flow is None


def test_trigger_input_that_cannot_be_computed_is_a_problem(check_text: Check) -> None:
    text = 'flow: a\ntrigger: {uses: crm.lead, with: {agent_id: "${{ string(1 / 0) }}"}}\nsteps: [{id: a, uses: crm.payment}]\n'  # noqa: E501
    [problem] = check_text(text).problems
    assert (problem.line, problem.rule, problem.message) == (2, "expression", "1 / 0 has no value")


def test_event_alone_is_known_before_the_run_starts(check_text: Check) -> None:
    """The run has no id yet when the key is computed: it would be the same for all."""
    text = "flow: a\ntrigger: {uses: crm.lead, if: run.id != ''}\ndedupe: {key: run.id, for: 1d}\nsteps: [{id: a, uses: crm.payment}]\n"  # noqa: E501
    assert [problem.message for problem in check_text(text).problems] == ["there is no 'run' here"] * 2


def test_rendered_problem_has_printable_lines_and_marks_in_place(check_text: Check) -> None:
    report = Report("fl\x1bow.yaml")
    report.add(Place(2, 5, 8), "type", "a\nb \u202e", "c\x07")
    assert render(report.problems()[0], "x\n中\t\u200bé: yes\n") == (
        "fl\\x1bow.yaml:2:5: a b \\u202e; c\\x07 [type]\n    中 \ufffdé: yes\n         ^~~"
    )


def test_problem_beyond_the_source_is_rendered_without_a_line() -> None:
    report = Report("f")
    report.add(Place(2, 1, 2), "yaml", "x")
    assert render(report.problems()[0], "one line") == "f:2:1: x [yaml]"


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("creatd", ["created", "id"], "did you mean 'created'?"),
        ("Created", ["created", "id"], "did you mean 'created'?"),
        ("email", ["visitor_email", "visitor_name"], "did you mean 'visitor_email'?"),
        ("box", ["first_long_box", "other_long_box"], "expected first_long_box or other_long_box"),
        ("x", ["a", "b", "c"], "expected a, b or c"),
        ("x", ["a"], "expected a"),
        ("x", [f"word{n}" for n in range(13)], None),
        ("x", [], None),
    ],
)
def test_hint_names_what_was_meant_or_the_few_known(word: str, known: list[str], hint: str | None) -> None:
    assert did_you_mean(word, known) == hint
