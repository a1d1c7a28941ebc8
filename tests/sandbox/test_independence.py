"""The sandbox shares no code with the connector, so that both cannot err in the same way."""

import ast
from pathlib import Path

import connector.sandbox

FILES = sorted(Path(connector.sandbox.__file__).parent.rglob("*.py"))


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import, write it in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_sandbox_imports_nothing_else_of_the_connector():
    modules = {module for path in FILES for module in imported_modules(path)}
    ours = {module for module in modules if module.split(".")[0] == "connector"}
    assert ours
    assert {module for module in ours if not module.startswith("connector.sandbox.")} == set()
