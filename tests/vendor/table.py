"""Writes the tables of docs/chatforge.md: the operations, and the rows of the vendor's reference with their tests."""

from pathlib import Path

from vendor.reference import ROWS, Row

from connector import registry
from connector.declare import Action, Trigger

PAGE = Path(__file__).parents[2] / "docs" / "chatforge.md"
TESTS = {
    "access": "test_row_of_access",
    "endpoint": "test_row_of_an_endpoint",
    "parameter": "test_row_of_an_endpoint",
    "request": "test_row_of_an_endpoint",
    "response": "test_row_of_an_endpoint",
    "webhook": "test_row_of_the_webhook",
    "signature": "test_row_of_the_signature",
    "error": "test_row_of_the_error_codes",
}
_OPERATIONS = {
    "access": "the connection",
    "webhook": "`chatforge.event`, `chatforge.lead_captured`",
    "signature": "the connection's webhook",
    "error": "every action",
}
_PLACES = {"error": "Error Codes", "webhook": "Webhook Payload", "signature": "Signature Verification"}


def render_page(page: str) -> str:
    """The page with the tables as they are now."""
    return _replace(_replace(page, "operations", _operations()), "reference", _reference())


def _replace(page: str, name: str, table: str) -> str:
    start, end = f"<!-- {name}: written by `make docs` -->", "<!-- end -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}\n\n{table}\n{end}{rest.partition(end)[2]}"


def _operations() -> str:
    known = registry.load()
    declared = [*known.triggers.values(), *known.actions.values()]
    rows = [_operation(one) for one in declared if one.name.startswith("chatforge.") or "." not in one.name]
    return "| name | kind | what it does |\n|---|---|---|\n" + "".join(rows)


def _operation(declared: Action | Trigger) -> str:
    kind = declared.effect if isinstance(declared, Action) else f"trigger: {' and '.join(declared.sources)}"
    sentence = declared.description.partition("\n\n")[0].replace("\n", " ")
    return f"| `{declared.name}` | {kind} | {sentence} |\n"


def _reference() -> str:
    head = (
        "| the reference says | in | covered by | test, in `tests/chatforge/test_reference.py` |\n|---|---|---|---|\n"
    )
    return head + "".join(map(_row, ROWS))


def _row(row: Row) -> str:
    place = row.endpoint.title if row.endpoint else _PLACES.get(row.kind, "Authentication")
    what = f"{row.kind} `{row.name}`" if row.kind in ("parameter", "request", "response") else f"`{row.name}`"
    operation = f"`{row.endpoint.operation}`" if row.endpoint else _OPERATIONS[row.kind]
    return f"| {what} | {place} | {operation} | `{TESTS[row.kind]}[{row.id}]` |\n"


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text("utf-8")), "utf-8")
