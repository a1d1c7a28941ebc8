"""Says on the terminal what takes long; nothing is said in pipes, and nothing of what is over in a moment."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.spinner import Spinner

from connector.cli import output

SHOW_AFTER = 1.0
"""Seconds."""
Say = Callable[[str], None]
"""Is told what is waited for."""


@contextmanager
def working(text: str = "", *, quiet: bool = False) -> Iterator[Say]:
    """Show `text`, and what is said meanwhile, where the standard error output is a terminal.

    What is printed meanwhile stands above it. `quiet` is for those who read JSON.
    """
    if quiet or not output.errors.is_terminal:
        yield lambda _text: None
        return
    spinner = Spinner("dots", output.printable(text), style="green")
    shown = output.console if output.console.is_terminal else output.errors
    live = Live(spinner, console=shown, transient=True, redirect_stdout=shown is output.console)
    beginning = threading.Timer(SHOW_AFTER, live.start)
    beginning.daemon = True
    beginning.start()
    try:
        yield lambda said: spinner.update(text=output.printable(said))
    finally:
        beginning.cancel()
        beginning.join()
        live.stop()
