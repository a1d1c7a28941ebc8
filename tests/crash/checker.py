"""What must be true of runs whose server has died, whenever that was."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crash.flows import Case
from crash.journal import Picture, Row, key_of
from crash.world import Told

from connector.runs.records import ENDED, FINISHED

_ONCE = "chatforge.inject_message"


@dataclass
class Checker:
    """Of deliveries, all of which were acknowledged. `disturbed` are attempts that faults may have cost a step.

    `knows_doubts`: whether a call can have lost its result only by a death that was noted.
    """

    told: Sequence[Told]
    deaths: Sequence[Picture]
    after: Picture
    notes: Counter[str]
    disturbed: int = 0
    knows_doubts: bool = True

    def __post_init__(self) -> None:
        self._deaths_of = defaultdict[str, list[Picture]](list)
        for death in self.deaths:
            for run_id in death.runs:
                self._deaths_of[run_id].append(death)

    def faults_before_decisions(self) -> Iterator[str]:
        """While what is held has not been resolved."""
        yield from self._deliveries()
        yield from self._finished()
        yield from self._lanes()
        for case, key, run in self._runs():
            yield from (f"{key} {one}" for one in self._run(case, run))
            for path in self._paths(run):
                yield from (f"{key} {path} {one}" for one in self._step(case, key, run["id"], path))

    def faults_after_decisions(self) -> Iterator[str]:
        """Once people have said of each message whether it was sent."""
        yield from self._deliveries()
        for case, key, run in self._runs():
            if run["status"] != case.ends:
                yield f"{key} is {run['status']}: {run['error']}"
            copies = self._copies(key)
            wanted = set(case.says)
            for path in wanted | set(copies):
                steps = self.after.steps[run["id"]]
                may_lack = path in steps and steps[path]["status"] == "skipped"
                least, most = int(path in wanted and not may_lack), int(path in wanted)
                if (
                    not least
                    <= copies[path]
                    <= (most + len(self._deaths_of[run["id"]]) if path in case.repeats else most)
                ):
                    yield f"{key} {path} was sent {copies[path]} times"

    def _runs(self) -> Iterator[tuple[Case, str, Row]]:
        cases = {one.key: one.case for one in self.told}
        for run in self.after.runs.values():
            yield cases[key_of(run)], key_of(run), run

    def _deliveries(self) -> Iterator[str]:
        """Each event is there once, and each flow has made one thing of it."""
        events = defaultdict[tuple[str, str], list[str]](list)
        for row in self.after.events:
            data = json.loads(json.loads(row["text"]))["data"]
            events[json.loads(row["name"]), data["key"]].append(row["id"])
        runs = Counter[str]()
        for one in self.told:
            found = events[one.case.event, one.key]
            starts = [start for event in found for start in self.after.starts[event] if start["flow"] == one.case.name]
            if len(found) != 1 or len(starts) != 1:
                yield f"{one.key} has {len(found)} events and {len(starts)} starts"
            runs[one.lane] += sum(start["run_id"] is not None for start in starts)
        for one in self.told:
            if runs[one.lane] not in one.case.runs:
                yield f"{one.lane} has {runs[one.lane]} runs"
        if sum(runs.values()) != len(self.after.runs):
            yield f"{len(self.after.runs)} runs, of which {sum(runs.values())} are of deliveries"

    def _finished(self) -> Iterator[str]:
        """What was finished stays as it is, and has no further effect."""
        for number, death in enumerate(self.deaths):
            for (run_id, path), row in death.finished().items():
                now = self.after.steps[run_id].get(path)
                if now != row:
                    yield f"{run_id} {path} was finished at death {number}: {row}, and is now {now}"
                text = f"{key_of(death.runs[run_id])} {path}"
                if death.effects.count(text) != self.after.effects.count(text):
                    yield f"{text} was finished at death {number} and took effect again"
            for run_id, run in death.runs.items():
                now = self.after.runs[run_id]
                told = {"told_at": now["told_at"]} if run["told_at"] is None else {}  # somebody may be told later
                if run["finished_at"] and {**run, **told} != now:
                    yield f"{run_id} had ended at death {number} as {run}, and is now {now}"

    def _lanes(self) -> Iterator[str]:
        """Runs with one key of `concurrency` come one after the other."""
        last = dict[str, Row]()
        for run in sorted(self.after.runs.values(), key=lambda run: run["started_at"] or "~"):
            if run["lane"] is None:
                continue
            before = last.get(run["lane"])
            if before and run["started_at"] and not (before["finished_at"] or "~") <= run["started_at"]:
                yield f"{run['id']} began before {before['id']} had ended"
            last[run["lane"]] = run

    def _run(self, case: Case, run: Row) -> Iterator[str]:
        held = self.after.leaves(run["id"], "held")
        allowed = {case.ends, "held"} if held else {case.ends}
        if run["lane"] is not None:
            allowed.add("queued")  # behind one that is held
        if run["status"] not in allowed or (held and run["status"] != "held"):
            yield f"is {run['status']}: {run['error']}, held are {held}"
        if run["status"] == "succeeded" and json.loads(run["outputs"] or "null") != case.outputs:
            yield f"gives {run['outputs']}"
        going_on = [row["step"] for row in self.after.steps[run["id"]].values() if row["status"] not in FINISHED]
        if run["status"] in ENDED and going_on:
            yield f"is {run['status']}, and {going_on} go on"
        for path in held:
            if self.knows_doubts and "sending" not in self._were(run["id"], path):
                yield f"{path} is held, and was never sent when the server died"

    def _were(self, run_id: str, path: str) -> list[str | None]:
        """The status that the step had at each death; None where it had not begun."""
        return [death.steps[run_id].get(path, {}).get("status") for death in self._deaths_of[run_id]]

    def _paths(self, run: Row) -> set[str]:
        return set(self.after.steps[run["id"]]) | set(self._copies(key_of(run)))

    def _copies(self, key: str) -> Counter[str]:
        """How often each step has sent its message."""
        texts = ((*text.split(" ", 1), number) for text, number in self.after.effects.messages.items())
        return Counter({path: number for begin, path, number in texts if begin == key})

    def _step(self, case: Case, key: str, run_id: str, path: str) -> Iterator[str]:
        row = self.after.steps[run_id].get(path)
        (copies, names), notes = self.after.effects.count(f"{key} {path}"), self.notes[f"{key} {path}"]
        if row is None:
            yield f"took effect {copies} times and is not in the journal"
            return
        done = row["status"] == "succeeded"
        again = sum(status not in FINISHED for status in self._were(run_id, path))
        tries = case.tries.get(path, 1) + self.disturbed + again
        if row["attempts"] > tries:
            yield f"was attempted {row['attempts']} times, with {again} deaths meanwhile"
        if row["action"] == "contacts.upsert" and notes != (done and path != "all"):
            yield f"is {row['status']} and was noted {notes} times"
        if row["action"] == "chatforge.update_agent" and not done <= names <= tries:
            yield f"is {row['status']} and took effect {names} times"
        if row["action"] == _ONCE:
            yield from self._message(case, row, copies, tries)

    def _message(self, case: Case, row: Row, copies: int, tries: int) -> Iterator[str]:
        run_id, path, status = row["run_id"], row["step"], row["status"]
        is_skipped = status == "skipped" and (row["reason"] or "").startswith('"on_ambiguous')
        least = int(status == "succeeded" and row["output"] is not None and not row["output"].startswith("["))
        most = int(status == "held" or is_skipped or least)
        if not least <= copies <= (tries if path in case.repeats else most):
            yield f"is {status} and was sent {copies} times"
        # Where somebody else read the file of SQLite when the server died, its last commit shows only later.
        cut = any(
            death.steps[run_id].get(path, {}).get("status") == "sending" and death.at < (row["finished_at"] or "~")
            for death in self._deaths_of[run_id]
        )
        if cut and path not in case.repeats and not (status == "held" or is_skipped):
            yield f"was being sent when the server died, and is {status}"
