"""Which actions act on somebody once, so that nothing repeats them unasked."""

from collections.abc import Callable

from connector.adapter import Adapter
from connector.runs import records

ONCE = ("once", "destructive")
"""Effects of steps that a backfill leaves out, and that are never done anew by themselves."""


def acts_once(adapter: Adapter) -> Callable[[records.Step], bool]:
    """Asks it of a step, as the journal has it."""

    def ask(step: records.Step) -> bool:
        return step.action in adapter.registry.actions and adapter.effect(step.action, step.input) in ONCE

    return ask
