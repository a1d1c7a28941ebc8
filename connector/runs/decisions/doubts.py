"""Steps of which nobody knows whether they took effect."""

from connector.runs import records
from connector.runs.decisions.places import Steps


def find_doubts(steps: Steps) -> list[records.Step]:
    """Those that are held by themselves, not for a step inside them."""
    return [one for one in steps.values() if one.status == "held" and (one.error is None or one.error.step == one.id)]
