"""`chatforge schema`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from connector import flow_schema, registry
from connector.cli.output_files import write_file


def schema(
    path: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it to this file.", show_default=False)
    ] = None,
) -> None:
    """Print the JSON Schema of flow files, for editors.

    It is made from the installed plugins. An editor with yaml-language-server reads it where the first line of a flow
    is: # yaml-language-server: $schema=./flow.schema.json

    Example: chatforge schema -o flows/flow.schema.json
    """
    plugins = registry.load()
    built = flow_schema.build(flow_schema.offers(plugins.triggers), flow_schema.offers(plugins.actions))
    text = json.dumps(built, indent=2, ensure_ascii=False) + "\n"
    if path is None:
        sys.stdout.write(text)
    else:
        write_file(path, text, "-o", "flow.schema.json")
