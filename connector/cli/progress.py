"""Says on the terminal what takes long; nothing is said in pipes, and nothing of what is over in a moment."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connector.cli import output

SHOW_AFTER = 1.0
"""Seconds."""
Say = Callable[[str], None]


@contextmanager
def working(text: str, *, quiet: bool = False) -> Iterator[Say]:
    """Show `text`, and what is said meanwhile, on the standard error output, where that is a terminal.

    For what prints its lines afterwards. `quiet` is for those who read JSON.
    """
    if quiet or not output.errors.is_terminal:
        yield lambda _text: None
        return
    shown = output.errors.status(output.printable(text))
    beginning = threading.Timer(SHOW_AFTER, shown.start)
    beginning.daemon = True
    beginning.start()
    try:
        yield lambda said: shown.update(output.printable(said))
    finally:
        beginning.cancel()
        beginning.join()
        shown.stop()
