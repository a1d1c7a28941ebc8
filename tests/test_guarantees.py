"""docs/guarantees.md names tests that exist, and a command that does."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def test_every_named_test_exists():
    modules = [ast.parse(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py")]
    tests = {node.name for module in modules for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named <= tests


def test_every_named_command_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make (\w+)`", " ".join(PAGE.split()))) <= targets


def test_figures_stand_below_the_command_that_prints_them():
    _, figures = PAGE.split("## Figures")
    assert "make figures" in figures
    assert len(re.findall(r"^\| .*[0-9]", figures, re.MULTILINE)) > 10
