"""The command `chatforge`: its commands, and how errors become sentences and exit codes."""

import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from connector.cli import exits, output
from connector.cli.agents import app as agents
from connector.cli.backfill import backfill
from connector.cli.call import call
from connector.cli.check import check, show_problem
from connector.cli.db import app as database
from connector.cli.demo import demo
from connector.cli.doctor import doctor
from connector.cli.drift import drift
from connector.cli.events import app as events
from connector.cli.explain import explain
from connector.cli.flow_tests.command import run_tests
from connector.cli.graph import graph
from connector.cli.init import init
from connector.cli.manifest import manifest
from connector.cli.new_plugin import new_plugin
from connector.cli.operations import list_operations, show
from connector.cli.polls import polls
from connector.cli.run import run as run_flow
from connector.cli.runs import app as runs
from connector.cli.sandbox import sandbox
from connector.cli.schema import schema
from connector.cli.send_event import send_event
from connector.cli.serve import serve
from connector.errors import ConnectorError, FlowError
from connector.flows.problems import Problem

_LONGEST = 400  # characters of a complaint that quotes an argument
COMMANDS: dict[str, Callable[..., object] | typer.Typer] = {
    "demo": demo,
    "init": init,
    "check": check,
    "explain": explain,
    "graph": graph,
    "schema": schema,
    "test": run_tests,
    "run": run_flow,
    "serve": serve,
    "backfill": backfill,
    "runs": runs,
    "events": events,
    "polls": polls,
    "drift": drift,
    "db": database,
    "list": list_operations,
    "show": show,
    "call": call,
    "agents": agents,
    "manifest": manifest,
    "new-plugin": new_plugin,
    "doctor": doctor,
    "send-event": send_event,
    "sandbox": sandbox,
}
"""In the order of the overview."""


class _InOrder(TyperGroup):
    def list_commands(self, _context: object) -> list[str]:
        return list(COMMANDS)  # typer alone has the groups last


app = typer.Typer(
    name="chatforge",
    cls=_InOrder,
    help="Triggers and actions for ChatForge, and typed YAML flows that use them.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for name, command in COMMANDS.items():
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


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
        code = exits.code_of(error)
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
    for problem in error.problems:
        if isinstance(problem, Problem):
            show_problem(problem, error.sources.get(problem.path, ""), output.errors)


def _show_internal(error: Exception) -> None:
    if _Debug.wanted:
        traceback.print_exc()
    reason = f"{type(error).__name__}: {error}"
    output.fail(f"internal failure, {reason}; run `chatforge --debug …` again and report the traceback")
