"""A visitor leaves an e-mail in the sandbox, and becomes a party with an opportunity in the real Tryton.

Ends with 1 where that did not happen.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from crm.tryton_server import DATABASE, Tryton, running

from connector.cli.demo import DemoError, Stage
from connector.cli.output import line, styled
from connector.cli.timeline import Timeline, has_ended
from connector.runs.journal import Journal
from connector.sandbox import server
from connector.sqlite import read_file

FLOW = Path(__file__).parents[2] / "docs" / "flows" / "recipes" / "lead-to-tryton.yaml"
EMAIL, PHONE = "john@example.com", "+1 480 555 1234"
PATIENCE = 20.0
VISITOR = {
    "visitor_name": "John Smith",
    "visitor_email": EMAIL,
    "visitor_phone": PHONE,
    "page_url": "https://example.com/services",
    "conversation_summary": "Asked about estate planning services",
    "messages": ["Hello, I am looking into estate planning."],
}


def main() -> int:
    began = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # so that no server outlives the demo
    with tempfile.TemporaryDirectory(prefix="tryton-demo-") as made, server.running() as sandbox:
        folder = Path(made)
        with running(folder) as tryton:
            stage = Stage(sandbox, folder, _write_flows(folder / "flows", tryton))
            try:
                stage.start_server()
                _play(stage, tryton)
            except DemoError as error:
                line(str(error))
                return 1
            finally:
                stage.stop_server()
    line("")
    line(styled("  ✓ ", "green"), f"the lead is in Tryton; all of it took {time.monotonic() - began:.1f} s")
    return 0


def _write_flows(folder: Path, tryton: Tryton) -> Path:
    folder.mkdir()
    shutil.copy(FLOW, folder)
    connection = {"connector": "tryton", "address": tryton.url, "database": DATABASE, "key": {"env": "TRYTON_KEY"}}
    (folder / "connections.yaml").write_text(yaml.safe_dump({"tryton": connection}))
    os.environ["TRYTON_KEY"] = tryton.key
    return folder


def _play(stage: Stage, tryton: Tryton) -> None:
    line(styled("ChatForge sandbox  ", "bold"), stage.sandbox.url)
    line(styled("Tryton             ", "bold"), tryton.url)
    line(styled("Connector          ", "bold"), stage.address)
    line(styled("Flow               ", "bold"), FLOW.name)
    line("")
    line(f"  {VISITOR['visitor_name']} leaves {EMAIL} and {PHONE}")
    story = stage.control("POST", "/visitors", VISITOR)
    run = Timeline(stage.database, _wait_for_run(stage)).follow(has_ended, PATIENCE)
    stage.expect("the run succeeded", run.status == "succeeded")
    chat = stage.control("GET", f"/conversations/{story['conversation_id']}")["messages"]
    stage.expect("the visitor got one message", sum(message["injected"] for message in chat) == 1)
    _show(stage, tryton)


def _wait_for_run(stage: Stage) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if runs := read_file(stage.database, lambda connection: Journal(connection).runs(1)):
            return runs[0].id
        time.sleep(0.05)
    raise DemoError("this did not happen: the lead started a run")


def _show(stage: Stage, tryton: Tryton) -> None:
    parties = tryton.parties(EMAIL)
    stage.expect(f"Tryton has one party with {EMAIL}", len(parties) == 1)
    fields = ("number", "description", "comment", "state")
    deals = tryton.read("sale.opportunity", ["party", "=", parties[0]["id"]], fields=fields)
    stage.expect("it has one opportunity", len(deals) == 1)
    rows = [("party", parties[0]["code"], parties[0]["name"])]
    rows += [("", entry["type"], entry["value"]) for entry in parties[0]["contact_mechanisms"]]
    rows += [("opportunity", deals[0]["number"], deals[0]["description"])]
    rows += [("", name, deals[0][name]) for name in ("state", "comment")]
    line("")
    line(styled("  What Tryton has", "underline"))
    _print_table(rows)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for first, second, third in rows:
        line(f"  {first:<{widths[0]}}  {second:<{widths[1]}}  {third}")


if __name__ == "__main__":
    sys.exit(main())
