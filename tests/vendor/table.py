"""Writes the table of docs/chatforge.md: the rows of the vendor's reference, what covers each, which test proves it."""

from pathlib import Path

from vendor.reference import ROWS, Row

PAGE = Path(__file__).parents[2] / "docs" / "chatforge.md"
START, END = "<!-- the table: written by `make docs` -->", "<!-- end of the table -->"

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


def render_page(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(START)
    return f"{before}{START}\n\n{_render()}\n{END}{rest.partition(END)[2]}"


def _render() -> str:
    lines = [
        "| the reference says | of | covered by | test, in `tests/chatforge/test_reference.py` |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_render_row, ROWS)]) + "\n"


def _render_row(row: Row) -> str:
    place = row.endpoint.title if row.endpoint else {"error": "error codes"}.get(row.kind, row.kind)
    what = row.name if row.kind in ("access", "signature", "error", "endpoint") else f"{row.kind} {row.name}"
    operation = f"`{row.endpoint.operation}`" if row.endpoint else _OPERATIONS[row.kind]
    test = f"{TESTS[row.kind]}[{row.id}]"
    return f"| `{what}` | {place} | {operation} | `{test}` |\n"


if __name__ == "__main__":
    PAGE.write_text(render_page(PAGE.read_text("utf-8")), "utf-8")
