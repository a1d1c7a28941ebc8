"""Writes err/*.out anew from what the checker says now: python tests/flows/regenerate.py"""

from pathlib import Path

from conftest import CATALOGUE, rendered

from connector.flows.check import check

HERE = Path(__file__).parent

for file in sorted((HERE / "err").glob("*.yaml")):
    file.with_suffix(".out").write_text(rendered(check(file.read_bytes(), file.name, CATALOGUE)), "utf-8")
