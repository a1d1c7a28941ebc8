"""W2: one lead starts a flow once, however often and in whatever order it is told of."""

import pytest
from simulator.burst import make_burst
from simulator.host import Host
from simulator.loop import run
from simulator.simulate import Outcome, live


def live_through(leads: int, seed: int, *, outage: bool, crashes: float) -> tuple[Outcome, dict[str, int], int]:
    """The outcome, the runs of each flow, and how many of them a webhook began by itself."""
    host = Host(make_burst(seed, leads, outage=outage, crashes=crashes))
    outcome = run(live(host))
    runs = host.connection.execute("SELECT flow, count(*) AS runs FROM runs GROUP BY flow").fetchall()
    by_webhook = "SELECT count(*) FROM runs JOIN events ON events.id = event_id WHERE identity NOT LIKE 'lead:%'"
    return outcome, {row["flow"]: row["runs"] for row in runs}, host.connection.execute(by_webhook).fetchone()[0]


@pytest.mark.parametrize(("outage", "crashes"), [(False, 0.0), (True, 0.0), (True, 0.01)])
def test_leads_told_of_again_and_again_start_each_flow_once(outage: bool, crashes: float) -> None:
    outcome, runs, by_webhook = live_through(100, 1, outage=outage, crashes=crashes)
    assert outcome.verdict.problems == []
    assert runs == dict.fromkeys(("first", "listed", "second", "look"), 100)
    assert by_webhook > 0
    assert bool(outcome.observer.crashes) == bool(crashes)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("outage", "crashes"), [(False, 0.0), (True, 0.0), (True, 0.01)])
def test_thousand_leads_told_of_again_and_again_start_each_flow_once(seed: int, outage: bool, crashes: float) -> None:
    outcome, runs, _ = live_through(1_000, seed, outage=outage, crashes=crashes)
    assert outcome.verdict.problems == []
    assert runs == dict.fromkeys(("first", "listed", "second", "look"), 1_000)
