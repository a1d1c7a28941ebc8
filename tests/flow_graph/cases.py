"""The flows of which graphs are drawn. To write those beside this file anew: cd tests && python -m flow_graph.cases"""

from pathlib import Path

from flows.conftest import CATALOGUE

from connector import flow_graph
from connector.flows.flow import Flow
from connector.flows.folder import Folder

HERE = Path(__file__).parent
SHOWN = ("caller", "kinds", "odd")
"""Those of which the graph stands beside this file."""


def graphs() -> dict[str, str]:
    """The Mermaid text of each sound flow of tests/flows and of those here, by name."""
    return {name: flow_graph.render(flow_graph.draw(flow)) for name, flow in flows().items()}


def flows() -> dict[str, Flow]:
    paths = sorted([*(HERE / "flows").glob("*.yaml"), *(HERE.parent / "flows" / "ok").glob("*.yaml")])
    folder = Folder({str(path): path.read_bytes() for path in paths}, CATALOGUE)
    checked = {path.stem: folder.check(str(path)) for path in paths}
    assert not any(one.problems for one in checked.values()), checked
    return {name: one.flow for name, one in checked.items() if one.flow}


if __name__ == "__main__":
    for name, text in graphs().items():
        if name in SHOWN:
            (HERE / f"{name}.mmd").write_text(text, "utf-8")
