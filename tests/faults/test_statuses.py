"""What each status of an answer means to a run: the sandbox answers so by HTTP, and its effect log is the judge."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from connector.sandbox.faults import Fault

FLOW = """
flow: {name}
inputs: {{agent: {{type: str}}, conversation: {{type: str}}, text: {{type: str}}}}
steps:
  - id: act
    uses: {uses}
    with: {{agent_id: "${{{{ inputs.agent }}}}", {given}}}
"""
GIVEN = {
    "chatforge.inject_message": "conversation_id: '${{ inputs.conversation }}', content: '${{ inputs.text }}'",
    "chatforge.update_agent": "name: '${{ inputs.text }}'",
}
NOT_TAKEN = [408, 425, 429]
UNKNOWN = [500, 501, 502, 503, 504, 505, 507, 511, 520, 599]
FINAL = [300, 301, 302, 303, 307, 308]
FINAL += [status for status in (*range(400, 432), 444, 451, 499) if status not in NOT_TAKEN]


def run_each(sites: Any, uses: str, faults: list[Fault]) -> list[tuple[str, int, int, list[float]]]:
    """For each fault a run that meets it: its status, its attempts, the copies at the sandbox, and its waits."""

    async def work() -> list[tuple[str, int, int, list[float]]]:
        flow = sites.flow(FLOW.format(name="act", uses=uses, given=GIVEN[uses]))
        conversation_id, found = sites.converse(), []
        async with sites.open("aiohttp") as site:
            for number, fault in enumerate(faults):
                waits: list[float] = []

                async def note(seconds: float, waits: list[float] = waits) -> None:
                    waits.append(seconds)

                sites.sandbox.faults.add(fault)
                run_id = await site.start(flow, f"text {number}", conversation_id)
                run = await site.finish(run_id, note)
                attempts = site.attempts(run_id, "act")
                found.append((run.status, len(attempts), site.copies(f"text {number}"), waits))
                assert not sites.sandbox.faults.waiting
        return found

    return asyncio.run(work())


def test_message_that_was_not_taken_is_sent_again(sites):
    outcomes = run_each(sites, "chatforge.inject_message", [Fault(status=status) for status in NOT_TAKEN])
    assert dict(zip(NOT_TAKEN, outcomes, strict=True)) == dict.fromkeys(NOT_TAKEN, ("succeeded", 2, 1, [1.0]))


@pytest.mark.parametrize("done", [False, True], ids=["before it was sent", "after it was sent"])
def test_message_is_held_where_chatforge_failed(sites, done):
    faults = [Fault(status=status, after_effect=done) for status in UNKNOWN]
    outcomes = run_each(sites, "chatforge.inject_message", faults)
    assert dict(zip(UNKNOWN, outcomes, strict=True)) == dict.fromkeys(UNKNOWN, ("held", 1, int(done), []))


def test_change_that_can_be_repeated_is_repeated_where_chatforge_failed(sites):
    outcomes = run_each(sites, "chatforge.update_agent", [Fault(status=status) for status in UNKNOWN])
    assert dict(zip(UNKNOWN, outcomes, strict=True)) == dict.fromkeys(UNKNOWN, ("succeeded", 2, 1, [1.0]))


@pytest.mark.parametrize("uses", GIVEN)
def test_refusal_is_final(sites, uses):
    outcomes = run_each(sites, uses, [Fault(status=status) for status in FINAL])
    assert dict(zip(FINAL, outcomes, strict=True)) == dict.fromkeys(FINAL, ("failed", 1, 0, []))


def http_date(**ahead: float) -> str:
    return format_datetime(datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC) + timedelta(**ahead), usegmt=True)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("90", 90.0),
        ("0", 1.0),
        ("0.25", 1.0),
        ("2.5", 2.5),
        ("-30", 1.0),
        ("86400", 86_400.0),
        ("86401", 1.0),
        ("999999999999", 1.0),
        ("soon", 1.0),
        (http_date(seconds=45), 45.0),
        (http_date(seconds=-45), 1.0),
        (http_date(days=2), 1.0),
    ],
)
def test_next_attempt_comes_when_the_answer_says_and_after_the_usual_second_where_it_says_nonsense(
    sites, told, seconds
):
    """The clock of the answer is years off."""
    fault = Fault(status=503, headers={"retry-after": told, "date": http_date()})
    assert run_each(sites, "chatforge.update_agent", [fault]) == [("succeeded", 2, 1, [seconds])]
