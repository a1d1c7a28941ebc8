"""Flows of many kinds, of which runs fill many tables of a journal."""

from pathlib import Path

VISITORS = {
    "ask@example.com": "Ask",
    "more@example.com": "Lane",
    "lane@example.com": "Lane",
    "call@example.com": "Call",
}
STATUSES = {"ask": ["waiting"], "lane": ["queued", "waiting"], "listen": ["waiting"], "call": ["succeeded"]}
"""Of the runs that they start."""
_FLOWS = {
    "ask": """
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_email == 'ask@example.com'}
steps:
  - {id: sure, approve: {title: Sure?, form: {note: {type: str, default: none}}, timeout: 1d}}
  - {id: noted, uses: contacts.upsert, with: {email: "ask@example.com", note: "${{ steps.sure.note }}"}}
""",
    "lane": """
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_name == 'Lane'}
concurrency: {key: trigger.agent_id, mode: queue}
steps:
  - {id: pause, wait: 1h}
""",
    "listen": """
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_email == 'more@example.com'}
steps:
  - {id: each, for_each: "[1, 2]", uses: contacts.upsert, with: {email: "${{ item }}@example.com"}}
  - {id: more, wait_for: {uses: chatforge.lead_captured, match: event.visitor_email == 'never', timeout: 1h}}
""",
    "note": """
inputs: {email: {type: str}}
steps:
  - {id: noted, uses: contacts.upsert, with: {email: "${{ inputs.email }}"}}
outputs: {id: "${{ steps.noted.id }}"}
""",
    "call": """
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_name == 'Call'}
steps:
  - {id: called, uses: flow.note, with: {email: "call@example.com"}}
  - {id: end, stop: nothing more}
""",
    "clock": """
trigger: {uses: schedule, with: {every: 1h}}
steps: [{id: all, uses: contacts.list}]
""",
}


def write_flows(folder: Path) -> None:
    for name, text in _FLOWS.items():
        (folder / f"{name}.yaml").write_text(f"flow: {name}{text}")
