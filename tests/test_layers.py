"""The rules of the architecture about imports: what may know what, and where each library is used."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "connector"

# Each imports only itself and what stands before it; those of one line do not know each other.
LAYERS = [
    line.split()
    for line in """
    errors files mentions whereabouts
    validation
    database
    settings
    reach retry_after answers headers
    unreached exchanges
    transport
    sqlite postgres
    upkeep
    engines
    drift marks
    profiles examples
    declare
    rest choices
    flows
    hookspecs
    chatforge plugins
    registry
    accounts
    call
    preview
    polling
    config_values
    adapter
    blocking
    manifest flow_schema flow_graph agents
    runs
    diagnosis
    server hosts spans
    sandbox
    testing
    cli
    __main__
    """.strip().splitlines()
]
RANKS = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

# The interpreter and the server reach triggers and actions only through the adapter, and the sandbox shares no code.
FORBIDDEN = {
    "runs": {"chatforge", "plugins"},
    "server": {"chatforge", "plugins"},
    "sandbox": set(RANKS) - {"sandbox"},
}

# Library → the modules that may import it. The sandbox, which is a program of its own, is not asked.
PLACES = {
    "yaml": {"flows/document.py", "flows/yaml_faults.py", "manifest/document.py", "settings.py"},
    "sqlite3": {
        "sqlite.py",
        "upkeep.py",
        "runs/polling/fall_backs.py",
        "plugins/contacts.py",
        "chatforge/analytics/store.py",
        "chatforge/budget/",
    },
    "opentelemetry": {"spans.py"},
    "prefect": {"hosts/prefect/"},
    "psycopg": {"postgres.py"},
    "hmac": {"chatforge/webhooks.py"},
    "pluggy": {"hookspecs.py", "registry.py"},
    "aiohttp": {"transport.py"},
    "airflow": {"hosts/airflow/"},
    "aiosmtplib": {"plugins/email/"},
    "cronsim": {"plugins/timetable.py"},
    "httpx_aiohttp": {"transport.py"},
    "jinja2": {"server/rendering.py", "server/web.py"},
    "mcp": {"hosts/mcp/", "cli/mcp.py"},
    "prometheus_client": {"server/metrics.py", "server/meter.py"},
    "structlog": {"cli/"},
    "starlette": {"server/", "hosts/mcp/"},
    "uvicorn": {"server/", "cli/mcp.py"},
    "uvloop": {"server/"},
    "typer": {"cli/"},
    "rich": {"cli/"},
}
MAKES_HTTP_CLIENTS = {"transport.py"}
READS_ENVIRONMENT = {
    "settings.py",
    "cli/demo.py",  # passes it on to the server that it starts
}
_HTTPX_CLIENTS = {"Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport", "get", "post", "request", "stream"}


MODULES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))
}


def part_of(path: str) -> str:
    """`runs` for `runs/store.py`, `settings` for `settings.py`."""
    return path.split("/")[0].removesuffix(".py")


def imports(tree: ast.Module) -> Iterator[str]:
    """The full names that a module imports, wherever in it; `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole module"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(tree: ast.Module) -> set[str]:
    return {name.split(".")[1] for name in imports(tree) if name.startswith("connector.")}


def uses(tree: ast.Module, module: str, names: set[str]) -> bool:
    """Whether one of `names` of `module` is called, or taken out of it by name."""
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == module
    }
    return bool(called & names or {f"{module}.{name}" for name in names} & set(imports(tree)))


def reads_environment(tree: ast.Module) -> bool:
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool({"os.environ", "os.getenv", "os.environb"} & (attributes | set(imports(tree))))


def test_every_part_has_a_layer():
    parts = {part_of(path) for path in MODULES} - {"__init__"}
    assert parts == set(RANKS)


def test_modules_import_only_what_stands_left_of_them():
    wrong = [
        f"{path} imports connector.{part}"
        for path, tree in MODULES.items()
        for part in sorted(own_imports(tree))
        if part_of(path) != part and RANKS[part_of(path)] <= RANKS[part]
    ]
    assert wrong == []


@pytest.mark.parametrize("package", FORBIDDEN)
def test_package_does_not_know_what_it_must_reach_otherwise(package):
    wrong = [
        path for path, tree in MODULES.items() if part_of(path) == package and own_imports(tree) & FORBIDDEN[package]
    ]
    assert wrong == []


@pytest.mark.parametrize("library", PLACES)
def test_library_is_used_in_its_place_only(library):
    users = {
        path
        for path, tree in MODULES.items()
        if part_of(path) != "sandbox" and library in {name.split(".")[0] for name in imports(tree)}
    }
    assert users
    assert {path for path in users if not path.startswith(tuple(PLACES[library]))} == set()


def test_http_clients_are_made_in_one_place():
    makers = {
        path for path, tree in MODULES.items() if part_of(path) != "sandbox" and uses(tree, "httpx", _HTTPX_CLIENTS)
    }
    assert makers == MAKES_HTTP_CLIENTS


def test_environment_is_read_in_one_place():
    assert {path for path, tree in MODULES.items() if reads_environment(tree)} == READS_ENVIRONMENT
