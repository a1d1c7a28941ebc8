"""Where checking ends: a value of type `any` in an input or in a condition."""

from collections.abc import Callable, Sequence

import pytest

from connector.flows.check import Checked
from connector.flows.problems import Problem

Check = Callable[[bytes | str], Checked]
FLOW = """
flow: unchecked
trigger: {uses: crm.lead}
steps:
  - id: contact
    if: CONDITION
    uses: crm.upsert
    with: {email: VALUE, rating: 4, properties: {plan: "${{ trigger.data.plan }}"}}
outputs: {plan: "${{ trigger.data.plan }}"}
"""


@pytest.fixture
def unchecked(check_text: Check) -> Callable[..., Sequence[Problem]]:
    def find(*, condition: str = "true", value: str = "a@example.com") -> Sequence[Problem]:
        checked = check_text(FLOW.replace("CONDITION", condition).replace("VALUE", value))
        assert checked.flow is not None, checked.problems
        return checked.unchecked

    return find


def test_any_may_enter_what_takes_anything(unchecked):
    assert unchecked() == []


@pytest.mark.parametrize(
    ("condition", "shown", "hint"),
    [
        ("trigger.data.vip", "trigger.data.vip", "write string(trigger.data.vip) == 'true'"),
        ("'!trigger.data.vip'", "trigger.data.vip", "write string(trigger.data.vip) == 'true'"),
        ("trigger.score > 3 && trigger.data.vip", "trigger.data.vip", "write string(trigger.data.vip) == 'true'"),
        ("'trigger.data.vip ? true : false'", "trigger.data.vip", "write string(trigger.data.vip) == 'true'"),
        ("trigger.data.plan == 'gold'", "trigger.data.plan", "write string(trigger.data.plan ?? '')"),
        ("'''gold'' == trigger.data.plan'", "trigger.data.plan", "write string(trigger.data.plan ?? '')"),
        ("trigger.data.plan in ['gold']", "trigger.data.plan", "write string(trigger.data.plan ?? '')"),
        ("trigger.data.age > 17", "trigger.data.age", "write (int(trigger.data.age ?? '') ?? 0)"),
        ("trigger.data.age > 17.5", "trigger.data.age", "write (number(trigger.data.age ?? '') ?? 0)"),
        ("trigger.tags.exists(x, trigger.data.vip)", "trigger.data.vip", "write string(trigger.data.vip) == 'true'"),
        ("trigger.data.at < trigger.captured_at", "trigger.data.at", None),
    ],
)
def test_any_that_decides_a_condition_is_told(unchecked, condition, shown, hint):
    [problem] = unchecked(condition=condition)
    assert (problem.rule, problem.hint, problem.column) == ("any", hint, 9 + condition.index(shown))
    assert problem.message.startswith(f"{shown} is any: nothing checks ")


@pytest.mark.parametrize("condition", ["trigger.data.plan != null", "null == trigger.data.plan", "trigger.score > 3"])
def test_comparison_that_cannot_go_wrong_is_not_told(unchecked, condition):
    assert unchecked(condition=condition) == []


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (
            "'${{ trigger.data.mail }}'",
            "email is any: nothing checks that it is str",
            "write string(trigger.data.mail)",
        ),
        (
            "'to ${{ trigger.data.mail }}'",
            "trigger.data.mail is any: nothing checks that it is a text, a number or a bool",
            "write string(trigger.data.mail)",
        ),
        (
            "x, phone: '${{ trigger.data.phone }}'",
            "phone is any: nothing checks that it is str | null",
            "write trigger.data.phone == null ? null : string(trigger.data.phone)",
        ),
    ],
    ids=["whole", "in a text", "nullable"],
)
def test_any_in_an_input_is_told(unchecked, value, message, hint):
    [problem] = unchecked(value=value)
    assert (problem.message, problem.hint) == (message, hint)


def test_list_whose_items_are_any_is_told(check_text):
    text = "flow: a\ntrigger: {uses: crm.lead}\nsteps:\n- id: b\n  uses: crm.send\n  with:\n"
    text += "    {conversation_id: a, content: b, lines: '${{ [trigger.data.line] }}'}\n"
    [problem] = check_text(text).unchecked
    assert problem.message == "lines is list[any]: nothing checks that it is list[Line]"
    assert problem.hint is None


def test_conversion_ends_the_doubt(unchecked):
    condition = "string(trigger.data.plan ?? '') == 'gold' && (int(trigger.data.age ?? '') ?? 0) > 17"
    assert unchecked(condition=condition, value="'${{ string(trigger.data.mail) }}'") == []


def test_file_with_problems_tells_of_these_alone(check_text):
    text = FLOW.replace("CONDITION", "trigger.data.vip").replace("VALUE", "'${{ steps.nope.id }}'")
    checked = check_text(text)
    assert [problem.rule for problem in checked.problems] == ["unknown-step"]
    assert checked.unchecked == []
