"""That the bench works; how fast it all is depends on the machine, and is not tested."""

import json

import pytest
from bench import __main__ as bench
from bench import past

from connector.runs.journal import Journal
from connector.sqlite import read_file


@pytest.mark.parametrize(
    ("part", "measured"),
    [
        ("runs", "runs, against those of the bare script"),
        ("latency", "webhook to second call, 100 webhooks a second, median"),
        ("intake", "acknowledged from 50 connections"),
        ("process", "chatforge serve, until it is ready"),
    ],
)
def test_part_measures_with_tiny_counts_and_writes_them(tmp_path, capsys, part, measured):
    arguments = [
        part,
        "--repeats",
        "1",
        "--divide",
        "250",
        "--folder",
        str(tmp_path),
        "--json",
        str(tmp_path / "b.json"),
    ]
    assert bench.main(arguments) in (0, 1)
    found = json.loads((tmp_path / "b.json").read_text())
    assert measured in [figure["what"] for figure in found["parts"][part]]
    assert found["machine"]["sqlite"]
    assert measured in capsys.readouterr().out


def test_past_is_a_history_that_the_journal_reads(tmp_path):
    past.make(tmp_path / "runs.sqlite", 300, 3)

    def look(connection):
        journal = Journal(connection)
        runs = journal.runs(1_000)
        return runs, journal.steps(runs[0].id), journal.attempts(runs[0].id), journal.starts(runs[0].event_id)

    runs, steps, attempts, starts = read_file(tmp_path / "runs.sqlite", look)
    assert len({run.id for run in runs}) == 300
    assert [run.status for run in runs].count("held") == 3
    assert [run.flow for run in runs].count(past.RARE) == 3
    assert (len(steps), len(attempts), len(starts)) == (2, 2, 1)
