"""Flows that the clock starts, in a real process."""

import signal
import time
from datetime import UTC, datetime, timedelta

FLOW = """\
flow: NAME
trigger: {uses: schedule, with: SCHEDULE}
steps: [{id: contacts, uses: contacts.list}]
"""


def scheduled(folder, schedule: str, name: str = "report"):
    path = folder / f"{name}.yaml"
    path.write_text(FLOW.replace("NAME", name).replace("SCHEDULE", schedule))
    return path


def ticks(server) -> list[datetime]:
    """The times for which runs were started, oldest first."""
    return sorted(datetime.fromisoformat(run.trigger["scheduled_at"]) for run in server.runs())


def test_flow_of_every_second_loses_and_doubles_no_tick_when_the_server_is_killed(make_server, tmp_path):
    server = make_server(flows=scheduled(tmp_path, "{every: 1s, missed: all}")).start("--port", "0")
    begun = datetime.now(UTC)
    server.wait_for(lambda: ticks(server)[-1:] > [begun + timedelta(seconds=2)])
    server.stop(signal.SIGKILL)
    time.sleep(1.5)
    server.start("--port", "0")
    last = ticks(server)[-1]
    server.wait_for(lambda: ticks(server)[-1] > last + timedelta(seconds=3))
    found = ticks(server)
    assert found == [found[0] + timedelta(seconds=number) for number in range(len(found))]
    assert server.ended(server.runs()[-1].id).status == "succeeded"


def test_server_says_when_flows_start_next_and_stops_cleanly(make_server, tmp_path):
    flows = tmp_path / "flows"
    flows.mkdir()
    scheduled(flows, '{cron: "0 9 1 1 *", timezone: Europe/Berlin}', "yearly")
    scheduled(flows, "{every: 1h}", "hourly")
    server = make_server(flows=flows).start("--port", "0")
    shown = [server.process.stdout.readline() for _ in range(3)]
    year = datetime.now(UTC).year + 1
    assert shown[2] == f"flow      yearly, next at {year}-01-01 09:00 Europe/Berlin\n"
    said, moment, zone = shown[1].partition(", next at ")[0], *shown[1].split()[-2:]
    assert (said, zone) == ("flow      hourly", "UTC")
    assert moment.count(":") in (1, 2)
    assert server.stop() == 0
    assert "Traceback" not in server.log()
