"""Flows made at random, with steps of all kinds, from parts that hold tempting mistakes."""

import json
from collections.abc import Callable
from random import Random

from flows.flow_parts import (
    CHOICES,
    CONDITIONS,
    CONFIG,
    FIELDS,
    FORM,
    GIVEN,
    GUARDS,
    INPUTS,
    LISTS,
    MATCHES,
    OPERATIONS,
    SAFE_CONDITIONS,
    SAFE_TEXTS,
    TEXTS,
    TIMES,
    UNTILS,
)  # fmt: skip

from connector.flows.flow import Flow

Check = Callable[[str], Flow | None]
Lines = list[str]


def indented(lines: Lines, by: int) -> Lines:
    return [" " * by + line for line in lines]


class Gardener:
    """Grows a flow: tries parts at random and keeps those with which it still checks clean.

    `check` gives the flow where a text checks clean. A flow that others call has the fields of a trigger as inputs.
    """

    def __init__(self, random: Random, check: Check, name: str, called: list[str], *, is_called: bool) -> None:
        self.random = random
        self.check = check
        self.name = name
        self.called = called
        self.owner = "inputs" if is_called else "trigger"
        self.count = 1
        self.focus = f"{name}_s0"
        """The step that the one being made reads most."""
        self.is_guarded = False
        """Whether the one being made has a condition under which it may read that."""
        self.ids = [f"{name}_s0"]
        self.uses = {f"{name}_s0": "crm.find"}
        """What the steps do, by their ids."""
        start = f"inputs:{INPUTS}" if is_called else "trigger: {uses: crm.lead}"
        self.head = [f"flow: {name}", start]
        self.lines = ["steps:", f"- {{id: {name}_s0, uses: crm.find, with: {{agent_id: x}}}}"]

    @property
    def text(self) -> str:
        return "\n".join([*self.head, *self.lines])

    def grow(self, steps: int) -> str:
        self._keep([f"config: {CONFIG}"], self.head)
        if self.owner == "trigger":
            field = self.random.choice(("score", "lead_id", "visitor_name ?? 'x'"))
            # Not queued: a run that is held would keep those after it waiting.
            self._keep([f"concurrency: {{key: trigger.{field}, mode: single}}"], self.head)
            self._keep([f"dedupe: {{key: trigger.{field}, for: 1s}}"], self.head)
        for variable in (self._text(), self._text()):
            self._keep([f"vars: {{a: {variable}, b: '${{{{ trigger.tags }}}}'}}"], self.head)
        self._steps(steps)
        self.lines.append("on_error:")
        if not self._steps(steps // 2):
            self.lines.pop()
        for _ in range(6):
            if self._keep([f"outputs: {{a: {self._text()}}}"], self.lines):
                break
        return self.text

    def _steps(self, times: int) -> int:
        """How many were kept."""
        return sum(self._keep(self._step(0), self.lines) for _ in range(times))

    def _keep(self, added: Lines, where: Lines) -> bool:
        before = len(where)
        where += [line.replace("trigger.", f"{self.owner}.") for line in added]
        kept = self.check(self.text) is not None
        if not kept:
            del where[before:]
            self.ids = [one for one in self.ids if f"id: {one}," in self.text or f"id: {one}\n" in f"{self.text}\n"]
        return kept

    def _fill(self, pattern: str) -> str:
        near = [self.focus, self.focus, self.random.choice(self.ids)]
        return pattern.format(*self.random.choices(near, k=2))

    def _any(self, patterns: tuple[str, ...]) -> str:
        return json.dumps(self._fill(self.random.choice(patterns)))

    def _text(self) -> str:
        if self.random.random() < (0.6 if self.is_guarded else 0.3):
            return json.dumps(self._read())
        return self._any(TEXTS if self.random.random() < 0.4 else SAFE_TEXTS)

    def _read(self) -> str:
        """A field of a step."""
        step_id = self.focus if self.random.random() < 0.8 else self.random.choice(self.ids)
        fields = FIELDS.get(self.uses.get(step_id, ""), ("id",))
        if self.is_guarded:
            return f"${{{{ steps.{self.focus}.{self.random.choice(FIELDS.get(self.uses[self.focus], ('id',)))} }}}}"
        patterns = ("steps.{}.{}", "steps.{}.{}", "steps.{}?.{} ?? 'x'", "steps.{}[0].{}", "steps.{}[0]?.{} ?? 'x'")
        return f"${{{{ {self.random.choice(patterns).format(step_id, self.random.choice(fields))} }}}}"

    def _condition(self) -> str:
        if self.is_guarded:
            return json.dumps(self.random.choice(GUARDS).format(self.focus))
        sources = self.random.choices((CONDITIONS, SAFE_CONDITIONS), k=self.random.choice((1, 1, 2)))
        return json.dumps(" && ".join(self._fill(self.random.choice(source)) for source in sources))

    def _step(self, depth: int) -> Lines:
        kinds = (
            ("call",) * 6
            + ("wait", "wait_for", "stop", "flow", "flow", "flow")
            + (("approve", "switch", "switch", "switch") if depth < 2 else ())
        )
        kind = self.random.choice(kinds)
        step_id = f"{self.name}_s{self.count}"
        self.count += 1
        self.focus = self.random.choice(self.ids[-5:])
        self.is_guarded = self.random.random() < 0.4
        lines = [f"- id: {step_id}"]
        chances = {
            "if": (self._condition(), 1.0 if kind == "stop" or self.is_guarded else 0.4),
            "not_after": (self._any(TIMES), 0.07),
        }
        lines += [f"  {key}: {value}" for key, (value, chance) in chances.items() if self.random.random() < chance]
        does = getattr(self, f"_{kind}")(depth)
        self.ids.append(step_id)
        self.uses[step_id] = does[0].removeprefix("uses: ") if does[0].startswith("uses: crm") else kind
        lines += indented(does, 2)
        return lines

    def _call(self, _depth: int) -> Lines:
        uses, pattern = self.random.choice(OPERATIONS)
        lines = [f"uses: {uses}", f"with: {pattern.format(*(self._text() for _ in range(5)))}"]
        chances = {
            "for_each": (self._any(LISTS), 0.4),
            "retry": (f"{{max_attempts: 2, until: {self._any(UNTILS)}}}", 0.15),
            "continue_on_error": ("true", 0.1),
            "on_ambiguous": (self.random.choice(("skip", "retry", "hold")), 0.1),
            "idempotency_key": (self._text(), 0.1),
        }
        return lines + [f"{key}: {value}" for key, (value, chance) in chances.items() if self.random.random() < chance]

    def _flow(self, depth: int) -> Lines:
        if not self.called:
            return self._call(depth)
        given = [
            f"{name}: {self._any(values if self.random.random() < 0.4 else values[:1])}"
            for name, values in GIVEN
            if name in ("visitor_email", "agent_id") or self.random.random() < 0.3
        ]
        lines = [f"uses: flow.{self.random.choice(self.called)}", f"with: {{{', '.join(given)}}}"]
        chances = {"for_each": (self._any(LISTS), 0.3), "continue_on_error": ("true", 0.1)}
        return lines + [f"{key}: {value}" for key, (value, chance) in chances.items() if self.random.random() < chance]

    def _wait(self, _depth: int) -> Lines:
        return [self.random.choice(("wait: 10m", f"wait: {{until: {self._any(TIMES)}}}"))]

    def _wait_for(self, _depth: int) -> Lines:
        return [f"wait_for: {{uses: crm.lead, match: {self._any(MATCHES)}, timeout: 1d}}"]

    def _stop(self, _depth: int) -> Lines:
        return [f"stop: {self._text()}"]

    def _approve(self, depth: int) -> Lines:
        late = self.random.choice(("reject", "approve", "fail"))
        lines = ["approve:", f"  title: {self._text()}", f"  form: {FORM}", f"  on_timeout: {late}"]
        lines += ["  timeout: 2d"] if self.random.random() < 0.7 else []
        return [*lines, "  notify:", *indented(self._inner(depth), 2)]

    def _switch(self, depth: int) -> Lines:
        on, values = self.random.choice(CHOICES)
        lines = ["switch:", f"  on: {json.dumps(self._fill(on))}", "  cases:"]
        for value in self.random.sample(values, self.random.randint(1, len(values))):
            lines += [f"    {json.dumps(value)}:", *indented(self._inner(depth), 4)]
        return lines + (["  default:", *indented(self._inner(depth), 2)] if self.random.random() < 0.5 else [])

    def _inner(self, depth: int) -> Lines:
        """One step or two inside another one."""
        first = f"{self.name}_s{self.count}"
        self.count += 1
        lines = [f"- {{id: {first}, uses: crm.payment}}"]
        self.ids.append(first)
        self.uses[first] = "crm.payment"
        return lines + (self._step(depth + 1) if self.random.random() < 0.7 else [])
