"""The command: runs the checks, shows what they find, and ends with the code of the first failure."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from connector import registry as registries
from connector.adapter import Adapter
from connector.chatforge.probe.answers import count
from connector.cli import exits, output
from connector.cli.doctor.database import check_database, count_events
from connector.cli.doctor.installation import check_plugins, check_settings
from connector.cli.doctor.machine import check_flows, check_port, check_public_url
from connector.cli.exits import UsageError
from connector.cli.loading import load_settings
from connector.cli.paragraphs import write_beside
from connector.cli.probe import probe as run_probe
from connector.cli.progress import Say, working
from connector.diagnosis.connections import check_connections
from connector.diagnosis.findings import Finding, Findings, skip, skip_all

_LEFT = 18
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red bold", "skip": "dim"}


def doctor(
    flows: Annotated[
        Path | None, typer.Option(help="A folder of flow files, or one file.", show_default="flows")
    ] = None,
    port: Annotated[int, typer.Option(help="The port that the server is to have.", min=0, max=65535)] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Report what ChatForge does that it does not document.")
    ] = False,
    agent: Annotated[str | None, typer.Option(metavar="ID", help="The agent that --probe looks at.")] = None,
) -> int:
    """Check settings, plugins, connections, database, port and flows, and say what to do about what is wrong.

    Example: chatforge doctor --flows flows
    """
    if agent is not None and not probe:
        raise UsageError("--agent is for --probe; give both")
    flows = flows or (Path("flows") if Path("flows").is_dir() else None)
    if probe:
        settings = load_settings(flows)
        adapter = Adapter(registries.load(), settings)
        return run_probe(adapter, agent, as_json, count_events(settings.database), working(quiet=as_json))
    with working(quiet=as_json) as say:
        findings = examine(flows, port, datetime.now(UTC), say)
        found = list(findings if as_json else _show_each(findings))
    if as_json:
        output.write_json([finding.as_json() for finding in found])
    else:
        _show_summary(found)
    return next((exits.code_of(finding.error) for finding in found if finding.status == "fail"), exits.DONE)


def examine(flows: Path | None, port: int, now: datetime, say: Say) -> Findings:
    """All checks in their order; one whose premise failed is `skip`."""
    settings = yield from check_settings(flows)
    plugins = yield from check_plugins()
    lacking = "the settings could not be read"
    if settings is None:
        yield from skip_all(("connections", "public URL", "database"), lacking)
    else:
        yield from check_connections(plugins, settings, now, say)
        yield check_public_url(settings)
        yield from check_database(settings.database)
    say(f"looking at port {port}")
    yield asyncio.run(check_port(port))
    if flows is not None:
        yield check_flows(flows, plugins, settings) if settings else skip("flows", lacking)


def _show_each(findings: Findings) -> Findings:
    before = None
    for finding in findings:
        if finding.connection != before:
            output.line("")
            output.line(output.styled(finding.connection or "this machine", "bold"))
        before = finding.connection
        _show(finding)
        yield finding


def _show(finding: Finding) -> None:
    style = _STYLES[finding.status]
    head = Text.assemble((finding.status.ljust(4), style), "  ", finding.check.ljust(10), "  ")
    write_beside(head, _LEFT, finding.detail)
    if finding.next_step and finding.status in ("warn", "fail"):
        write_beside(" " * _LEFT, _LEFT, finding.next_step, mark="→ ", style=style.split()[0])


def _show_summary(found: Sequence[Finding]) -> None:
    fails, warns = (sum(finding.status == status for finding in found) for status in ("fail", "warn"))
    output.line("")
    failed = f"{fails} failed" if fails else "nothing failed"
    output.line(f"{failed}, {count(warns, 'warning') if warns else 'no warnings'}")
