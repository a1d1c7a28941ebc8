"""Twenty small flows with all kinds of steps. Each message says which step sends it, so that copies can be counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import dedent, indent
from typing import Any, Literal

REPLY = "visitor.replied"
"""The name of the event that steps wait for."""
_ACCOUNT = 'agent_id: "${{ trigger.data.agent }}", conversation_id: "${{ trigger.data.conversation }}"'


@dataclass(frozen=True, slots=True)
class Case:
    """A flow, and what becomes of its runs, whatever happens to the process."""

    name: str
    steps: str
    says: Sequence[str]
    """The steps that send a message in a run: one each."""
    ends: Literal["succeeded", "failed"] = "succeeded"
    head: str = ""
    tail: str = ""
    deliveries: int = 1
    runs: Sequence[int] = (1,)
    """How many runs these may start."""
    faults: Sequence[Mapping[str, Any]] = ()
    """What the sandbox does wrong meanwhile; all of it is certain, or does not matter."""
    tries: Mapping[str, int] = field(default_factory=dict)
    """Attempts of a step that is not disturbed, unless one."""
    repeats: Sequence[str] = ()
    """Steps that act once, and that the flow has repeated all the same."""
    outputs: Any = None

    @property
    def event(self) -> str:
        return f"crash.{self.name}"

    @property
    def text(self) -> str:
        trigger = f"trigger: {{uses: chatforge.event, with: {{events: [{self.event}]}}}}\n"
        steps = indent(dedent(self.steps).strip(), "  ")
        return f"flow: {self.name}\n{trigger}{dedent(self.head)}steps:\n{steps}\n{dedent(self.tail)}"


def say(step: str, more: str = "", label: str = "", *, to: str = _ACCOUNT) -> str:
    """A step that sends its name, or `label`, behind the key of the run."""
    content = f'content: "${{{{ trigger.data.key }}}} {label or step}"'
    return f"- {{id: {step}, uses: chatforge.inject_message, with: {{{to}, {content}}}{more}}}\n"


def note(step: str, more: str = "", label: str = "") -> str:
    """A step that writes its name, or `label`, to a contact."""
    given = 'email: "${{ trigger.data.key }}@example.com", note: "${{ trigger.data.key }} ' + (label or step) + '"'
    return f"- {{id: {step}, uses: contacts.upsert, with: {{{given}}}{more}}}\n"


def rename(step: str, more: str = "") -> str:
    """A step that gives the agent its name."""
    given = 'agent_id: "${{ trigger.data.agent }}", name: "${{ trigger.data.key }} ' + step + '"'
    return f"- {{id: {step}, uses: chatforge.update_agent, with: {{{given}}}{more}}}\n"


_NOWHERE = 'agent_id: "${{ trigger.data.agent }}", conversation_id: nobody'
_LANE = "concurrency: {key: string(trigger.data.lane), mode: MODE}\n"
_SOON = ", retry: {delay: 20ms, max_delay: 50ms}"
_READ = '- {id: read, uses: chatforge.get_agent, with: {agent_id: "${{ trigger.data.agent }}"}}\n'

GREET = """\
flow: greet
inputs: {key: {type: str}, agent: {type: str}, conversation: {type: str}, label: {type: str}}
steps:
  - {id: look, uses: chatforge.get_agent, with: {agent_id: "${{ inputs.agent }}"}}
  - id: say
    uses: chatforge.inject_message
    with:
      agent_id: ${{ inputs.agent }}
      conversation_id: ${{ inputs.conversation }}
      content: ${{ inputs.key }} ${{ inputs.label }}
outputs: {said: "${{ inputs.label }}"}
"""
_GREET = """\
- {id: one, uses: flow.greet, with: {key: "${{ string(trigger.data.key) }}",
   agent: "${{ string(trigger.data.agent) }}", conversation: "${{ string(trigger.data.conversation) }}",
   label: one/say}}
- {id: more, for_each: "['a', 'b']", max_parallel: 2, uses: flow.greet, with: {
   key: "${{ string(trigger.data.key) }}", agent: "${{ string(trigger.data.agent) }}",
   conversation: "${{ string(trigger.data.conversation) }}", label: "more[${{ index }}]/say"}}
"""

CASES = [
    Case("message", say("hello"), ["hello"]),
    Case(
        "changes",
        rename("name") + note("contact") + _READ + note("last"),
        [],
        outputs={"contact": True, "last": False},
        tail="outputs: {contact: '${{ steps.contact.created }}', last: '${{ steps.last.created }}'}",
    ),
    Case(
        "items",
        say("each", ", for_each: \"['a', 'b', 'c', 'd']\", max_parallel: 3", "each[${{ index }}]"),
        ["each[0]", "each[1]", "each[2]", "each[3]"],
    ),
    Case(
        "contacts",
        note("all", ", for_each: '[1, 2, 3, 4]', if: item != 3, max_parallel: 4", "all[${{ index }}]") + say("done"),
        ["done"],
        tail="outputs: {count: '${{ size(steps.all) }}'}",
        outputs={"count": 4},
    ),
    Case(
        "branch",
        "- id: route\n  switch:\n    on: trigger.data.kind\n    cases:\n      lead:\n"
        + indent(note("noted") + say("inside"), " " * 8)
        + "    default:\n"
        + indent(say("other"), " " * 6)
        + say("after", ", if: \"status.inside == 'succeeded'\""),
        ["inside", "after"],
    ),
    Case("rest", say("before") + "- {id: pause, wait: 150ms}\n" + say("after"), ["before", "after"]),
    Case(
        "reply",
        say("ask")
        + f"- id: answer\n  wait_for: {{uses: chatforge.event, with: {{events: [{REPLY}]}},"
        + " match: event.data.key == trigger.data.key, timeout: 1h}\n"
        + say("thanks", ", if: steps.answer != null"),
        ["ask", "thanks"],
        tail="outputs: {words: '${{ steps.answer?.data?.words }}'}",
        outputs={"words": "from answer"},
    ),
    Case(
        "silence",
        f"- id: answer\n  wait_for: {{uses: chatforge.event, with: {{events: [{REPLY}]}},"
        " match: 'false', timeout: 150ms}\n"
        + say("alone", ", if: steps.answer == null")
        + "- {id: silent, if: steps.answer == null, stop: nobody answers}\n"
        + say("never"),
        ["alone"],
    ),
    Case(
        "approval",
        "- id: ok\n  approve:\n    title: Go on?\n    form: {note: {type: str}}\n    notify:\n"
        + indent(say("tell"), " " * 6)
        + say("agreed", ", if: steps.ok.approved"),
        ["tell", "agreed"],
        tail="outputs: {by: '${{ steps.ok.by }}', note: '${{ steps.ok.note }}'}",
        outputs={"by": "Cal", "note": "fine"},
    ),
    Case(
        "unanswered",
        "- id: ok\n  approve: {title: Go on?, timeout: 150ms, on_timeout: reject}\n"
        + say("refused", ", if: '!steps.ok.approved'"),
        ["refused"],
    ),
    Case(
        "calls",
        _GREET,
        ["one/say", "more[0]/say", "more[1]/say"],
        tail="outputs: {said: '${{ steps.one.said }}', more: '${{ steps.more }}'}",
        outputs={"said": "one/say", "more": [{"said": "more[0]/say"}, {"said": "more[1]/say"}]},
    ),
    Case(
        "refused",
        say("again", _SOON) + rename("name", _SOON),
        ["again"],
        faults=[
            {"action": "v1-message", "status": 429, "times": 2},
            {"action": "v1-agent", "method": "PUT", "status": 500, "after_effect": True},
        ],
        tries={"again": 3, "name": 2},
    ),
    Case(
        "sorry",
        say("first") + say("fails", to=_NOWHERE),
        ["first", "sorry"],
        "failed",
        tail="on_error:\n" + indent(say("sorry") + note("failed"), "  "),
    ),
    Case(
        "goes-on",
        say("fails", ", continue_on_error: true", to=_NOWHERE) + say("next", ", if: \"status.fails == 'failed'\""),
        ["next"],
    ),
    Case(
        "stops",
        say("first") + "- {id: enough, if: trigger.data.kind == 'lead', stop: enough}\n" + say("never"),
        ["first"],
    ),
    Case(
        "late",
        say("late", ", not_after: \"'2026-01-01T00:00:00Z'\"") + _READ + say("named", ", if: status.late == 'skipped'"),
        ["named"],
        head="vars: {greeting: 'Hello ${{ trigger.data.kind }}'}\n",
        tail="outputs: {greeting: '${{ vars.greeting }}', late: '${{ status.late }}'}",
        outputs={"greeting": "Hello lead", "late": "skipped"},
    ),
    Case(
        "once-a-day",
        note("contact") + say("greet"),
        ["greet"],
        head="dedupe: {key: string(trigger.data.lane), for: 1d}\n",
        deliveries=2,
    ),
    Case(
        "queue",
        say("first") + "- {id: pause, wait: 50ms}\n" + note("second"),
        ["first"],
        head=_LANE.replace("MODE", "queue"),
        deliveries=2,
        runs=(2,),
    ),
    Case(
        "single",
        say("first") + "- {id: pause, wait: 150ms}\n" + note("second"),
        ["first"],
        head=_LANE.replace("MODE", "single"),
        deliveries=2,
        runs=(1, 2),
    ),
    Case(
        "doubts",
        say("skipped", ", on_ambiguous: skip") + say("repeated", ", on_ambiguous: retry") + say("last"),
        ["skipped", "repeated", "last"],
        repeats=["repeated"],
    ),
]
BY_NAME = {case.name: case for case in CASES}
