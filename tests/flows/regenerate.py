"""Writes err/*.out and folders/err/*.out anew from what the checker says now: python tests/flows/regenerate.py"""

from pathlib import Path

from conftest import CATALOGUE, rendered

from connector.flows.check import check
from connector.flows.folder import Folder

HERE = Path(__file__).parent

for file in sorted((HERE / "err").glob("*.yaml")):
    file.with_suffix(".out").write_text(rendered(check(file.read_bytes(), file.name, CATALOGUE)), "utf-8")

sources = {file.name: file.read_bytes() for file in sorted((HERE / "folders/err").glob("*.yaml"))}
folder = Folder(sources, CATALOGUE)
for name in sources:
    if problems := rendered(folder.check(name)):
        (HERE / "folders/err" / name).with_suffix(".out").write_text(problems, "utf-8")
