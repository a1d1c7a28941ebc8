"""The command `chatforge`: its commands, and how errors become sentences and exit codes."""

import importlib
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from connector.cli import completion, exits, output
from connector.errors import ConnectorError, FlowError

_LONGEST = 400  # characters of a complaint that quotes an argument
_PLACES = {
    "demo": "demo.demo",
    "init": "init.init",
    "check": "check.check",
    "explain": "explain.explain",
    "graph": "graph.graph",
    "schema": "schema.schema",
    "test": "flow_tests.run_tests",
    "run": "run.run",
    "serve": "serve.serve",
    "listen": "listen.listen",
    "backfill": "backfill.backfill",
    "runs": "runs.app",
    "events": "events.app",
    "polls": "polls.polls",
    "drift": "drift.drift",
    "forget": "forget.forget",
    "db": "db.app",
    "list": "operations.list_operations",
    "show": "operations.show",
    "call": "call.call",
    "agents": "agents.app",
    "manifest": "manifest.manifest",
    "export": "export_host.export_host",
    "mcp": "mcp.mcp",
    "new-plugin": "new_plugin.new_plugin",
    "doctor": "doctor.doctor",
    "send-event": "send_event.send_event",
    "sandbox": "sandbox.sandbox",
}
"""Where each command is, in the order of the overview. Only what is called is imported."""


class _Commands(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        module, _, attribute = _PLACES[name].rpartition(".")
        found = getattr(importlib.import_module(f"connector.cli.{module}"), attribute)
        holder = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=name)
        else:
            holder.command(name)(found)
        return typer.main.get_group(holder).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


class _Group(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "commands": _Commands()})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        stand_in = completion.find_stand_in(args, self._find) if ctx.resilient_parsing else None
        return stand_in or super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names alone: what the commands are for stands where they are, and all would be imported."""
        named = [completion.Item(name) for name in _PLACES if name.startswith(incomplete)]
        return named or super().shell_complete(ctx, incomplete)

    def _find(self, words: Sequence[str]) -> Any:
        found: Any = self
        for word in words:
            found = found.commands[word]
        return found


app = typer.Typer(
    name="chatforge",
    cls=_Group,
    help="Triggers and actions for ChatForge, and typed YAML flows that use them.",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        output.line(f"chatforge-connector {version('chatforge-connector')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
) -> None:
    """Triggers and actions for ChatForge, and typed YAML flows that use them."""
    _Debug.wanted = debug


class _Debug:
    wanted = False


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with a code of `exits`."""
    output.prepare()
    try:
        code = _main(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()  # what cannot be written shows only now
    except TyperException as error:
        output.fail(_sentence(error))
        code = exits.USAGE
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        output.discard()  # the reader of a pipe has left; nothing more can be said
        code = exits.FAILED
    except FlowError as error:
        _show_problems(error)
        code = exits.FAILED
    except ConnectorError as error:
        output.fail(error)
        code = exits.code_of(type(error))
    except Exception as error:
        code = _fail_otherwise(error)
    sys.exit(code)


def _main(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    code = command.main(arguments or ["--help"], prog_name="chatforge", standalone_mode=False)
    return code if isinstance(code, int) else exits.DONE


def _sentence(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    hint = f"; see: {context.command_path} --help" if context else ""
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return (message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…") + hint


def _fail_otherwise(error: Exception) -> int:
    """Say that the output cannot be written, or that there is a fault of ours."""
    if output.is_refused(error):
        output.discard()
        output.fail(f"the output cannot be written: {getattr(error, 'strerror', error)}")
        return exits.FAILED
    _show_internal(error)
    return exits.INTERNAL


def _show_problems(error: FlowError) -> None:
    from connector.cli.check import show_problem  # here, because few commands need what it imports
    from connector.flows.problems import Problem

    for problem in error.problems:
        if isinstance(problem, Problem):
            show_problem(problem, error.sources.get(problem.path, ""), output.errors)


def _show_internal(error: Exception) -> None:
    if _Debug.wanted:
        traceback.print_exc()
    reason = f"{type(error).__name__}: {error}"
    output.fail(f"internal failure, {reason}; run `chatforge --debug …` again and report the traceback")
