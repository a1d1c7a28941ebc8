"""Shows how many requests of a ChatForge account are in use on this machine, and what refusals (429) have taught."""

from datetime import datetime, timedelta

from connector.adapter import Adapter
from connector.chatforge.budget import BudgetState, machine_clock, read_state
from connector.chatforge.budget.learning import RAISED_AFTER
from connector.chatforge.connection import ChatForgeConnection, account_of
from connector.diagnosis.findings import Finding, ok, warn
from connector.errors import ConnectorError

_WHO_ELSE = "see what else uses this key"


def read_budget(connection: ChatForgeConnection) -> BudgetState:
    return read_state(connection.budget_file, account_of(connection), connection.rate_limit, machine_clock())


def find_wait(adapter: Adapter, connector: str, connection: str, now: datetime) -> str | None:
    """How the budget of a connection stands for which some process waits; None where none does, or it has none."""
    try:
        values = adapter.connection(connector, connection)
    except ConnectorError:
        return None
    if not isinstance(values, ChatForgeConnection):
        return None
    state = read_budget(values)
    return describe_budget(state, now).detail if state.waiting or state.paused_for else None


def describe_budget(state: BudgetState, now: datetime) -> Finding:
    if state.fault is not None:
        detail, _, step = state.fault.rpartition("; ")
        return warn("budget", detail, step)
    used = describe_use(state)
    if state.paused_for:
        until = now + timedelta(seconds=state.paused_for)
        why = "as ChatForge asked with a 429" if state.asked else "after a 429 of ChatForge"
        detail = f"{used}; nothing is sent until {until:%H:%M:%S} UTC, {why}{_describe_lowering(state)}"
        return warn("budget", detail, f"wait until then, and {_WHO_ELSE}")
    if state.refused_ago is not None:
        raised = f"the limit rises by one every {RAISED_AFTER / 60:.0f} minutes without a 429"
        return warn("budget", f"{used}{_describe_lowering(state)}", f"{_WHO_ELSE}; {raised}")
    return ok("budget", used)


def describe_use(state: BudgetState) -> str:
    """How many requests are in use, by purpose, and whether anybody waits."""
    parts = ", ".join(f"{number} {purpose}" for purpose, number in sorted(state.used.items()))
    text = f"{sum(state.used.values())} of {state.limit} requests a minute are in use"
    waits = "1 process waits" if state.waiting == 1 else f"{state.waiting} processes wait"
    return f"{text}{f': {parts}' if parts else ''}{f'; {waits}' if state.waiting else ''}"


def _describe_lowering(state: BudgetState) -> str:
    if state.refused_ago is None:
        return ""
    ago = f"{state.refused_ago / 60:.0f} min" if state.refused_ago >= 60 else f"{state.refused_ago:.0f} s"
    return f"; lowered from {state.configured} after the last 429, {ago} ago"
