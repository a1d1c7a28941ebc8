import pytest

from connector.flows.durations import render, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 0.5),
        ("2s", 2),
        ("5m", 300),
        ("1h", 3_600),
        ("30d", 2_592_000),
        ("0s", 0),
        ("36500d", 3_153_600_000),
        ("36501d", None),
        ("", None),
        ("30", None),
        ("s", None),
        ("1.5s", None),
        ("-1s", None),
        ("1 s", None),
        ("1S", None),
        ("1w", None),
        ("1h30m", None),
        ("٣s", None),
        ("1s\n", None),
        ("9" * 5_000 + "s", None),
    ],
)
def test_duration_is_a_whole_number_and_a_unit(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["500ms", "90s", "5m", "36h", "2d"])
def test_rendered_duration_is_the_shortest_that_is_read_the_same(text: str) -> None:
    assert render(seconds(text) or 0) == text
