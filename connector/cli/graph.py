"""`chatforge graph`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from connector import flow_graph
from connector.cli.flow_files import load_flows, require_file
from connector.cli.loading import load_adapter


def graph(file: Annotated[Path, typer.Argument(help="A flow file.", show_default=False)]) -> None:
    """Print a flow as a Mermaid flowchart.

    GitHub draws it in a fenced block of the language mermaid. A dotted line leads to a step that may be skipped.

    Example: chatforge graph docs/flows/lead-to-crm.yaml
    """
    require_file(file)
    [flow] = load_flows(file, load_adapter(file).catalogue)
    sys.stdout.write(flow_graph.render(flow_graph.draw(flow)))
