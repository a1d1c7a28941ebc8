"""The flows of one folder, which may call each other."""

import re
from collections.abc import Mapping

from connector.flows.calls import NoFlow
from connector.flows.catalogue import Catalogue
from connector.flows.check import Checked, check
from connector.flows.flow import Flow
from connector.flows.problems import did_you_mean

_NAME = re.compile(r"^[\"']?flow[\"']?\s*:\s*[\"']?([a-z][a-z0-9-]*)", re.MULTILINE)


def find_name(text: str) -> str | None:
    """The name that a file gives its flow, as far as it can be seen without checking it."""
    found = _NAME.search(text)
    return found[1] if found else None


class Folder:
    """Checks each file once, and the flows that it calls before it. `sources` are texts by path."""

    def __init__(self, sources: Mapping[str, bytes | str], catalogue: Catalogue) -> None:
        self._sources = sources
        self._catalogue = catalogue
        self._checked: dict[str, Checked] = {}
        self._open: list[str] = []
        self._paths: dict[str, str] = {}
        for path, source in sources.items():
            text = source if isinstance(source, str) else source.decode("utf-8", "replace")
            if found := find_name(text):
                self._paths.setdefault(found, path)

    def check(self, path: str) -> Checked:
        if path not in self._checked:
            self._open.append(path)
            self._checked[path] = check(self._sources[path], path, self._catalogue, self.find)
            self._open.remove(path)
        return self._checked[path]

    def find(self, name: str) -> Flow | NoFlow:
        """The flow with that name, for a step that calls it."""
        path = self._paths.get(name)
        if path is None:
            others = [other for other, path in self._paths.items() if path not in self._open]
            hint = did_you_mean(name, others) or f"write one: a file beside this with `flow: {name}` and `inputs`"
            return NoFlow(f"there is no flow {name!r} in this folder", hint)
        if path in self._open:
            return NoFlow(f"flow.{name} calls this flow, and no flow may call itself", "move what both do into a third")
        flow = self.check(path).flow
        if flow is None:
            return NoFlow(f"flow.{name} has problems of its own", f"see {path}")
        if flow.trigger is not None:
            return NoFlow(f"flow.{name} is started by {flow.trigger.uses}", "only flows with inputs can be called")
        return flow
