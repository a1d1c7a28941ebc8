"""R1, R2 and R3 by real HTTP: four processes, a file, and the three windows of the sandbox at the same time."""

import pytest
from torture.budget import WINDOWS, Figures, describe, measure


def by_window(minutes: float, seed: int) -> dict[str, Figures]:
    found = {figures.window: figures for figures in measure(minutes, seed=seed)}
    for figures in found.values():
        print(describe(figures))
        assert figures.fewest_waiting > 4_900
        assert figures.takeovers >= 15 * figures.minutes
    assert tuple(found) == WINDOWS
    return found


def test_processes_that_share_a_budget_keep_it_and_use_it_and_let_takeovers_through() -> None:
    """Stamped at the sending, it gives 429s here; without the spread, takeovers wait for half a minute."""
    found = by_window(2.2, seed=1)
    assert found["weighted"].refused <= 6
    for figures in (found["sliding"], found["fixed"]):
        assert figures.refused == 0
        assert figures.use >= figures.promised_use - 1.5
        assert figures.wait_longest <= 8.0 + 3 * figures.lag_p99  # this machine may be busy


@pytest.mark.torture
@pytest.mark.parametrize("seed", [1, 2])
def test_budget_is_kept_and_used_for_half_an_hour(seed: int) -> None:
    found = by_window(30, seed)
    weighted = found["weighted"]
    assert weighted.refused <= 8
    assert weighted.refused_late <= 1  # the limit rises again, and may prove too high again
    assert weighted.use >= 85
    for figures in (found["sliding"], found["fixed"]):
        assert figures.refused == 0
        assert figures.use >= (98.0 if figures.round_trip <= 0.5 else figures.promised_use - 1.2)
        assert figures.wait_p99 <= 1.5 + figures.lag_p99
