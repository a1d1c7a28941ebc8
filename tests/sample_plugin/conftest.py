"""The package has tests of its own, which are run where it is installed."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("greetings") else ["tests"]
