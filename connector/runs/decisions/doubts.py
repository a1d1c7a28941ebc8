"""Steps of which nobody knows whether they took effect."""

from connector.runs import records
from connector.runs.decisions.places import ActsOnce, Steps


def find_doubts(steps: Steps, acts_once: ActsOnce) -> list[records.Step]:
    """Those of a run that is not at work.

    They are held by themselves, not for a step inside them, or their process ended while they were sent.
    """
    return [one for one in steps.values() if _is_held(one) or (one.status == "sending" and acts_once(one))]


def _is_held(step: records.Step) -> bool:
    return step.status == "held" and (step.error is None or step.error.step == step.id)
