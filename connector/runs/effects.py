"""Which actions act on somebody once, so that nothing repeats them unasked."""

from collections.abc import Callable

from connector.adapter import Adapter

ONCE = ("once", "destructive")
"""Effects of steps that a backfill leaves out, and that are never done anew by themselves."""


def acts_once(adapter: Adapter) -> Callable[[str], bool]:
    """Asks it of the name of an action, as the journal has it."""
    return lambda action: action in adapter.registry.actions and adapter.effect(action) in ONCE
