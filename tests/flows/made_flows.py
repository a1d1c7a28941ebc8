"""Flows made at random, with steps of all kinds, from parts that hold tempting mistakes."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from connector.flows.flow import Flow

CONDITIONS = (
    "trigger.visitor_email != null",
    "trigger.score > 3",
    "steps.{} != null",
    "steps.{}?.conversation != null",
    "steps.{}.created",
    "steps.{}?.created == true",
    "status.{} == 'succeeded'",
    "status.{} != 'failed'",
    "status.{} == 'skipped'",
    "status.{}.lower() == 'skipped'",
    "!(steps.{} == null || trigger.visitor_name == null)",
    "steps.{}?.owner == null",
    "steps.{}.approved",
    "steps.{}?.by != null",
    "steps.{}.note != null",
    "steps.{}?.visitor_email != null",
    "(trigger.visitor_email != null || trigger.visitor_name != null)",
    "trigger.pages.exists(p, p.title != null && trigger.visitor_name != null)",
    "trigger.pages.all(p, p.title == null || size(p.title) < 9)",
    "trigger.tags.exists(t, t == trigger.visitor_name.lower())",
    "steps.{}.history.exists(h, h.kind == 'card')",
    "age(trigger.captured_at) < 900",
    "within(run.started_at, 'Mon-Fri 09:00-17:00', 'Europe/Berlin')",
    "(int(trigger.visitor_phone ?? '') ?? 0) > 3",
    "url_host(trigger.pages[0]?.url ?? '') == 'example.com'",
    "item != null",
    "item.title != null",
    "item > 1 && index < 5",
    "config.limit > 3",
    "vars.a != null",
)
SAFE_CONDITIONS = ("trigger.score > 3", "trigger.visitor_email != null", "age(trigger.captured_at) < 900")
SAFE_TEXTS = ("x", "${{{{ trigger.visitor_name ?? 'x' }}}}", "${{{{ run.id }}}} ${{{{ json(trigger) }}}}")
TEXTS = (
    "x",
    "${{{{ trigger.visitor_email }}}}",
    "${{{{ trigger.visitor_name ?? 'x' }}}}",
    "${{{{ steps.{}.id }}}}",
    "${{{{ steps.{}?.id ?? 'x' }}}}",
    "${{{{ steps.{}.conversation.id }}}}",
    "${{{{ steps.{}.conversation?.id ?? trigger.agent_id }}}}",
    "${{{{ steps.{}.owner }}}}",
    "${{{{ steps.{}.owner ?? status.{} }}}}",
    "${{{{ trigger.pages[0]?.title }}}}",
    "Hi ${{{{ trigger.score }}}} ${{{{ steps.{}.id }}}}",
    "${{{{ trigger.score }}}}",
    "${{{{ trigger.labels.vip ?? 'none' }}}}",
    "${{{{ steps.{}.method['iban'] ?? 'x' }}}}",
    "${{{{ steps.{}.history[0]?.kind ?? 'x' }}}}",
    "${{{{ error.message }}}}",
    "${{{{ steps.{}.transport }}}}",
    "${{{{ steps.{}.content }}}}",
    "${{{{ first(steps.{}.content.parts ?? []) ?? steps.{}.content }}}}",
    "${{{{ steps.{}.content.size[0] ?? 7 }}}}",
    "${{{{ join(trigger.tags, ', ') }}}}",
    "${{{{ join(trigger.pages.map(p, p.title), ', ') }}}}",
    "${{{{ join(trigger.pages.filter(p, p.title != null).map(p, p.title), ', ') }}}}",
    "${{{{ first(steps.{}.history.filter(h, h.kind == 'bank'))?.kind ?? 'x' }}}}",
    "${{{{ format_time(trigger.captured_at, '%d.%m.%Y', 'Europe/Berlin') }}}}",
    "${{{{ json(trigger) }}}} ${{{{ json(steps.{}) }}}}",
    "${{{{ default(trigger.visitor_name, trigger.agent_id).split(' ')[0] ?? 'x' }}}}",
    "${{{{ number(trigger.visitor_phone ?? '') ?? 0 }}}}",
    "${{{{ int(trigger.score / 2) }}}}",
    "${{{{ item }}}}",
    "${{{{ item.title ?? 'x' }}}} ${{{{ index }}}}",
    "${{{{ item.id }}}}",
    "${{{{ item?.id ?? 'x' }}}}",
    "${{{{ vars.a }}}}",
    "${{{{ vars.b ?? vars.a }}}}",
    "${{{{ config.owner }}}} ${{{{ config.labels.x ?? config.limit }}}}",
    "${{{{ approve.title }}}}",
    "${{{{ steps.{}[0]?.id ?? 'x' }}}}",
    "${{{{ join(steps.{}.map(x, x.id), ',') }}}}",
    "${{{{ join(steps.{}.filter(x, x != null).map(x, x.id), ',') }}}}",
    "${{{{ steps.{}.by ?? steps.{}.text ?? 'x' }}}}",
    "${{{{ steps.{}.note }}}}",
    "${{{{ steps.{}.percent }}}}",
    "${{{{ steps.{}.word }}}}",
    "${{{{ status.{}.upper() }}}}",
    "${{{{ steps.{}.visitor_email ?? 'x' }}}}",
    "${{{{ steps.{}.agent_id }}}}",
    "${{{{ steps.{}?.a ?? 'x' }}}}",
    "${{{{ steps.{}.a }}}}",
)
TIMES = (
    "trigger.captured_at",
    "add_duration(run.started_at, '1d')",
    "steps.{}.created_at",
    "steps.{}?.created_at ?? run.started_at",
    "steps.{}.at",
    "steps.{}.captured_at",
)
LISTS = (
    "trigger.tags",
    "trigger.pages",
    "trigger.pages.filter(p, p.title != null)",
    "trigger.pages.map(p, p.title)",
    "[1, 2, 3]",
    "steps.{}",
    "steps.{} ?? []",
    "steps.{}.history",
    "steps.{}.content.parts ?? []",
    "vars.b",
)
UNTILS = (
    "output.conversation != null",
    "output.created",
    "output.owner != null && output.created",
    "size(output.history) > 0 || item != null",
    "output.conversation.id != ''",
)
MATCHES = ("event.visitor_email == trigger.visitor_email", "event.score > 3", "event.agent_id == steps.{}.id", "true")
CHOICES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("trigger.source", ("webhook", "poll")),
    ("trigger.score", (1, 5, -1)),
    ("trigger.visitor_name", ("a", "", None)),
    ("steps.{}.method.kind", ("card", "bank")),
    ("status.{}", ("succeeded", "skipped", "failed")),
    ("steps.{}.created", (True, False)),
    ("steps.{}?.owner", ("a", None)),
    ("trigger.score > 3 ? trigger.score : null", (5, None)),
)
OPERATIONS = (
    ("crm.upsert", "{{email: {}, name: {}, phone: {}}}"),
    ("crm.upsert", "{{email: {}, rating: {}, stage: {}, properties: {{a: {}, b: [{}]}}}}"),
    ("crm.find", "{{agent_id: {}}}"),
    ("crm.find", "{{agent_id: {}, captured_at: '${{{{ trigger.captured_at }}}}', max_pages: {}}}"),
    ("crm.send", "{{conversation_id: {}, content: {}, lines: [{{text: {}, amount: {}}}]}}"),
    ("crm.send", "{{conversation_id: {}, content: {}, options: {{colour: {}}}}}"),
    ("crm.payment", "{{}}"),
    (
        "crm.order",
        "{{transport: {{kind: express, address: {}}}, content: {{name: {}, size: [{}, 1], parts: [{{name: {}}}]}}}}",
    ),
    ("crm.order", "{{transport: {}, content: {}, limits: {{weight: {}}}}}"),
)
INPUTS = """
  visitor_email: {type: str | null}
  visitor_name: {type: str | null, default: null}
  visitor_phone: {type: str | null, default: "12"}
  agent_id: {type: str}
  score: {type: int, default: 4}
  source: {type: "'webhook' | 'poll'", default: poll}
  captured_at: {type: time, default: 2026-03-25T10:00:00Z}
  tags: {type: "list[str]", default: [a, b]}
  labels: {type: "map[str]", default: {vip: x}}"""
GIVEN = (
    ("visitor_email", ("${{{{ trigger.visitor_email }}}}", "${{{{ steps.{}.id }}}}", "${{{{ steps.{}?.owner }}}}")),
    ("agent_id", ("${{{{ trigger.agent_id }}}}", "${{{{ item }}}}", "${{{{ steps.{}.word }}}}")),
    ("score", ("${{{{ trigger.score }}}}", "${{{{ steps.{}.percent }}}}", "${{{{ index }}}}")),
    ("captured_at", ("${{{{ trigger.captured_at }}}}", "${{{{ steps.{}.at }}}}")),
    ("tags", ("${{{{ trigger.tags }}}}", "${{{{ vars.b }}}}")),
)
CONFIG = '{owner: {type: str, default: ann}, limit: {type: int, default: 4}, labels: {type: "map[str]", default: {}}}'
FORM = "{percent: {type: int, default: 5}, note: {type: str | null}, text: {type: str}, word: {type: \"'a' | 'b'\", default: b}}"  # noqa: E501

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
        self.ids = [f"{name}_s0"]
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
        return pattern.format(*self.random.choices(self.ids, k=2))

    def _any(self, patterns: tuple[str, ...]) -> str:
        return json.dumps(self._fill(self.random.choice(patterns)))

    def _text(self) -> str:
        return self._any(TEXTS if self.random.random() < 0.35 else SAFE_TEXTS)

    def _condition(self) -> str:
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
        lines = [f"- id: {step_id}"]
        chances = {"if": (self._condition(), 1.0 if kind == "stop" else 0.4), "not_after": (self._any(TIMES), 0.07)}
        lines += [f"  {key}: {value}" for key, (value, chance) in chances.items() if self.random.random() < chance]
        lines += indented(getattr(self, f"_{kind}")(depth), 2)
        self.ids.append(step_id)
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
        return lines + (self._step(depth + 1) if self.random.random() < 0.7 else [])
