"""How many requests one account may send: the rule as written, shared by all processes of the machine.

`rule` says when a request may start, `learning` what refusals (429) teach; both are pure. `ledger` has the SQL,
`shared` the file, `waiting` those who wait within a process, `state` what `chatforge doctor` shows.
"""

from connector.chatforge.budget.clock import Clock, machine_clock
from connector.chatforge.budget.shared import Memory, SharedFile
from connector.chatforge.budget.state import BudgetState, read_state
from connector.chatforge.budget.waiting import RateBudget, RateSlot

__all__ = [
    "BudgetState",
    "Clock",
    "Memory",
    "RateBudget",
    "RateSlot",
    "SharedFile",
    "machine_clock",
    "read_state",
]
