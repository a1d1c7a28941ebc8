"""`chatforge list` and `chatforge show`: what the installed plugins offer."""

import json
import textwrap
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from connector import manifest, registry
from connector.cli import output
from connector.cli.exits import UsageError
from connector.declare import connector_of
from connector.flows.problems import did_you_mean, quoted
from connector.flows.schema_fields import SchemaField, read_fields
from connector.manifest import guide
from connector.manifest.contents import group_of
from connector.registry import Registry
from connector.settings import REFERENCE

Entry = Mapping[str, Any]

_WORDS = {"webhook": "webhook", "polled": "polling", "joined": "webhook, polling"}
_GROUPS = ("webhook", "polled", "joined", "started")
_TABLES = (
    ("trigger", "starts by", _GROUPS),
    ("action", "effect", ("action",)),
    ("connection", "", ("connection",)),
)
_SECOND = len(_WORDS["joined"])  # columns


def list_operations(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List triggers, actions and connections.

    Example: chatforge list
    """
    rows = summaries(registry.load())
    if as_json:
        output.write_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for title, column, groups in _TABLES:
        shown = [(row["name"], _column(row), row["title"]) for row in rows if row.get("group", row["kind"]) in groups]
        if shown:
            _table(width, (title, column, "title"), shown)
    output.line("more on one: chatforge show NAME")


def summaries(plugins: Registry) -> list[dict[str, Any]]:
    """Name, kind and title of all that is installed, in the order of the manifest; no schema is made for it."""
    triggers = [
        {"name": name, "kind": "trigger", "group": group_of(trigger), "sources": list(trigger.sources)}
        | {"title": trigger.title}
        for name, trigger in plugins.triggers.items()
    ]
    return [
        *sorted(triggers, key=lambda row: _GROUPS.index(str(row["group"]))),
        *(
            {"name": name, "kind": "action", "effect": action.effect, "title": action.title}
            for name, action in plugins.actions.items()
        ),
        *({"name": name, "kind": "connection", "title": made.title} for name, made in plugins.connections.items()),
    ]


def _table(width: int, heads: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> None:
    def lay_out(cells: tuple[str, str, str]) -> str:
        return f"{cells[0].ljust(width)}  {cells[1].ljust(_SECOND)}  {cells[2]}"

    output.line(output.styled(lay_out(heads), "bold"))
    for row in rows:
        output.line(lay_out(row))
    output.line("")


def show(
    name: Annotated[str, typer.Argument(help="A trigger, an action or a connector.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show a trigger, an action or a connector.

    What goes in, what comes out, and an example.

    Example: chatforge show chatforge.inject_message
    """
    plugins = registry.load()
    known = [*plugins.triggers, *plugins.actions, *plugins.connections]
    if name not in known:
        hint = did_you_mean(name, known) or "see: chatforge list"
        raise UsageError(f"there is no trigger, action or connector {quoted(name)}; {hint}")
    kind, entry = _describe(plugins, name)
    if as_json:
        output.write_json({"name": name, "kind": _kind(kind), **entry})
    elif kind == "connection":
        _show_connection(name, entry)
    elif kind == "action":
        _show_action(plugins, name, entry)
    else:
        _show_trigger(plugins, name, entry)


def _describe(plugins: Registry, name: str) -> tuple[str, Entry]:
    """The group of a trigger or what it is, and what the manifest says of it."""
    # The manifest of no plugin has the triggers that belong to none.
    whole = manifest.build(plugins, [connector_of(name)])
    for group, triggers in whole["triggers"].items():
        if name in triggers:
            return group, triggers[name]
    return (
        ("action", whole["actions"][name]) if name in whole["actions"] else ("connection", whole["connections"][name])
    )


def _kind(group: str) -> str:
    return group if group in ("action", "connection") else "trigger"


def _column(row: Entry) -> str:
    group = row.get("group", "")
    return str(row.get("effect", "")) or _WORDS.get(group, row["name"] if group == "started" else "")


def _show_action(plugins: Registry, name: str, entry: Entry) -> None:
    _head(name, "action", entry)
    _text(f"effect {entry['effect']}: {guide.EFFECTS[entry['effect']]}")
    _fields("input", entry["input"], written=False)
    _fields("output", entry["output"], written=True)
    _block("example, among the steps of a flow", guide.example_of(plugins.action(name)))


def _show_trigger(plugins: Registry, name: str, entry: Entry) -> None:
    trigger = plugins.trigger(name)
    _head(name, "trigger", entry)
    _text(guide.how_it_starts(trigger))
    _fields("input", entry["input"], written=False)
    _fields("output", entry["output"], written=True)
    if "output" in entry["sample"]:
        _block("a sample of the output", entry["sample"]["output"])
    _block("example, in a flow", guide.example_of(trigger))
    if (lacking := guide.lacks(trigger)) is not None:
        output.line(f"    # with: {lacking}")


def _show_connection(name: str, entry: Entry) -> None:
    output.line(output.styled(name, "bold"), f"  connector: {entry['title']}")
    output.line("")
    _text(entry["help"] + (f" ({entry['help_url']})" if "help_url" in entry else ""))
    if "webhook" in entry:
        path = entry["webhook"]
        _text(f"webhooks: {path['path']}, or {path['connection_path']} for a named connection")
    if "rate_limit" in entry:
        limit = entry["rate_limit"]
        _text(f"rate limit: {limit['requests']} requests in {limit['seconds']} s for each {limit['per']}")
    if "test" in entry:
        _text(f"to see that it works: chatforge call {entry['test']}")
    _fields("fields, in connections.yaml", entry["fields"], written=False)
    if '"writeOnly": true' in json.dumps(entry["fields"]):
        output.line("")
        _text(f"a secret is written as {REFERENCE}")


def _head(name: str, kind: str, entry: Entry) -> None:
    output.line(output.styled(name, "bold"), f"  {kind}: {entry['title']}")
    output.line("")
    for paragraph in entry["description"].split("\n\n"):
        _text(paragraph)
        output.line("")


def _text(text: str, indent: str = "") -> None:
    for line in textwrap.wrap(
        " ".join(text.split()), output.width(beside=1), initial_indent=indent, subsequent_indent=indent
    ):
        output.line(line)


def _block(title: str, value: object) -> None:
    output.line("")
    output.line(output.styled(title, "bold"))
    for line in manifest.write_yaml(value).splitlines():
        output.line(f"  {line}")


def _fields(title: str, schema: Entry, *, written: bool) -> None:
    output.line("")
    output.line(output.styled(title, "bold"))
    rows = [_row(field) for field in read_fields(schema, written=written)]
    if not rows:
        output.line("  nothing")
    width = min(30, max((len(label) for label, _, _ in rows), default=0))
    for label, kind, description in rows:
        # Two columns; a default that is long, such as an address, stays whole.
        first, *more = textwrap.wrap(kind, output.width(beside=width + 3), break_long_words=False)
        output.line(label.ljust(width), "  ", first)
        for line in more:
            output.line(" " * (width + 4), line)
        for line in textwrap.wrap(description, output.width(beside=width + 3)):
            output.line(" " * (width + 2), output.styled(line, "dim"))


def _row(field: SchemaField) -> tuple[str, str, str]:
    """Its name, indented, its type and whether it is needed, and its description."""
    words = field.words
    if field.required:
        words += ", required"
    if field.default is not None:
        words += f", default {json.dumps(field.default, ensure_ascii=False)}"
    return "  " * field.level + field.name, words, field.description
