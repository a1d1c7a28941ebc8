"""Which steps of a run are done anew when it goes on after its end.

What ended the run is forgotten, and what stands around it is reopened: it goes on with the input that it had. What
succeeded or was skipped stays. So does a failure that the flow let pass, since later steps have read it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from connector.flows.flow import WaitFor
from connector.runs import records
from connector.runs.decisions.places import ActsOnce, Place, Places


def _may_have_acted(record: records.Step) -> bool:
    """Also where the flow says that what is in doubt is skipped."""
    return record.status in ("succeeded", "sending") or (record.status == "skipped" and record.attempts > 0)


@dataclass(slots=True)
class Reopening:
    """The paths of steps. `ends` are the statuses of steps that are done anew where they ended the run."""

    acts_once: ActsOnce
    ends: Collection[str]
    forgotten: set[str] = field(default_factory=set)
    reopened: set[str] = field(default_factory=set)

    def go_on(self, steps: Sequence[Place], on_error: Sequence[Place]) -> None:
        """Let a flow go on with its steps; with those of `on_error` where a step has failed and stays so."""
        for place in steps:
            self._redo(place)
        if any(self._has_failed(place) for place in steps):
            for place in on_error:
                self._redo(place)
            return
        for place in on_error:
            self._forget_reaction(place)

    def repeat(self, places: Places, paths: Collection[str]) -> None:
        """Do the steps with these paths anew, and all that stands inside them."""
        for place in (*places.steps, *places.on_error):
            self._repeat(place, paths)

    def _has_failed(self, place: Place) -> bool:
        gone = self.forgotten | self.reopened
        return place.record.status == "failed" and not place.lets_pass and place.path not in gone

    def _redo(self, place: Place) -> None:
        status = place.record.status
        if status in ("succeeded", "skipped") or (status == "failed" and (place.lets_pass or status not in self.ends)):
            return
        if place.is_container:
            self.go_on(place.inside, place.on_error)
            self._reopen(place)
        elif status in self.ends or isinstance(place.step.does, WaitFor):  # an event is awaited anew
            self.forgotten.add(place.path)

    def _forget_reaction(self, place: Place) -> None:
        """It was about a failure that is over; but what acts once and may have acted is not done again."""
        if place.is_container:
            for one in (*place.inside, *place.on_error):
                self._forget_reaction(one)
            self._reopen(place)
        elif not (_may_have_acted(place.record) and self.acts_once(place.record)):
            self.forgotten.add(place.path)

    def _repeat(self, place: Place, paths: Collection[str]) -> bool:
        """Whether the place is one of them, or one of them stands inside it."""
        if place.path in paths:
            self.forgotten.update(one.path for one in place.walk())
            self.reopened -= self.forgotten
            return True
        touched = [self._repeat(one, paths) for one in (*place.inside, *place.on_error)]
        if any(touched):
            self._reopen(place)
        return any(touched)

    def _reopen(self, container: Place) -> None:
        """It begins anew where nothing inside it is kept."""
        if any(one is not container and one.path not in self.forgotten for one in container.walk()):
            self.reopened.add(container.path)
        else:
            self.forgotten.add(container.path)
            self.reopened.discard(container.path)
