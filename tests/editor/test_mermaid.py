"""Mermaid reads what `chatforge graph` prints."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from flow_graph.cases import graphs

pytestmark = pytest.mark.editor

SCRIPT = Path(__file__).parent / "parse_mermaid.mjs"


def refused(modules: Path, texts: Sequence[str]) -> list[str | None]:
    command = ["node", str(SCRIPT), str(modules)]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True, timeout=60)
    found: list[str | None] = json.loads(done.stdout)
    return found


def test_mermaid_reads_the_graph_of_each_sound_flow(modules):
    drawn = graphs()
    assert dict(zip(drawn, refused(modules, [*drawn.values()]), strict=True)) == dict.fromkeys(drawn)


def test_mermaid_says_what_it_does_not_read(modules):
    [told] = refused(modules, ['flowchart TD\n  a["\n'])
    assert told is not None
    assert told.startswith("Parse error on line ")
