"""The parts of which flows are made at random; many hold tempting mistakes. `{}` stands for the id of a step."""

from typing import Any

CONDITIONS = (
    "trigger.visitor_email != null",
    "trigger.score > 3",
    "steps.{} != null",
    "steps.{}?.conversation != null",
    "steps.{}.created",
    "steps.{}?.created == true",
    *["status.{} == 'succeeded'"] * 3,
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
FIELDS: dict[str, tuple[str, ...]] = {
    "crm.upsert": ("id", "owner"),
    "crm.find": ("conversation.id", "conversation?.id", "conversation.visitor_email"),
    "crm.send": ("id", "created_at"),
    "crm.payment": ("method.kind", "history[0].kind", "history[0]?.kind"),
    "crm.order": ("content.name", "transport.kind", "content.parts[0].name"),
    "wait_for": ("agent_id", "visitor_email", "source"),
    "approve": ("by", "text", "note", "word", "at"),
    "flow": ("a",),
}
"""What may be read of the steps, by what they do."""
GUARDS = ("steps.{} != null", "status.{} == 'succeeded'", "status.{} == 'succeeded' && trigger.score > 3")
"""Conditions under which a step is read."""
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
