"""The command `chatforge`: its commands, and how errors become sentences and exit codes."""

import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import TyperException

from connector.cli import exits, output
from connector.cli.call import call
from connector.cli.check import check
from connector.cli.demo import demo
from connector.cli.doctor import doctor
from connector.cli.events import app as events
from connector.cli.manifest import manifest
from connector.cli.operations import list_operations, show
from connector.cli.run import run as run_flow
from connector.cli.runs import app as runs
from connector.cli.sandbox import sandbox
from connector.cli.send_event import send_event
from connector.cli.serve import serve
from connector.errors import ConnectorError, FlowError
from connector.flows.problems import Problem, render

app = typer.Typer(
    name="chatforge",
    help="Triggers and actions for ChatForge, and typed YAML flows that use them.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (demo, check, run_flow, serve, send_event, sandbox):
    app.command()(command)
app.command("list")(list_operations)
app.command()(show)
app.command()(call)
app.command()(manifest)
app.command()(doctor)
app.add_typer(runs, name="runs")
app.add_typer(events, name="events")


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
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = typer.main.get_command(app).main(given or ["--help"], prog_name="chatforge", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"; see: {context.command_path} --help" if context else ""
        output.fail(error.format_message().rstrip(".") + hint)
        sys.exit(exits.USAGE)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has left; nothing more can be said
        sys.exit(exits.FAILED)
    except FlowError as error:
        _show_problems(error)
        sys.exit(exits.FAILED)
    except ConnectorError as error:
        output.fail(error)
        sys.exit(exits.code_of(error))
    except Exception as error:  # a fault of ours
        _show_internal(error)
        sys.exit(exits.INTERNAL)
    sys.exit(code if isinstance(code, int) else exits.DONE)


def _show_problems(error: FlowError) -> None:
    for problem in error.problems:
        if isinstance(problem, Problem):
            output.errors.print(render(problem, error.sources.get(problem.path, "")), markup=False)


def _show_internal(error: Exception) -> None:
    if _Debug.wanted:
        traceback.print_exc()
    reason = f"{type(error).__name__}: {error}"
    output.fail(f"internal failure, {reason}; run `chatforge --debug …` again and report the traceback")
