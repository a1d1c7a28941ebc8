"""The schema refuses nothing that the checker takes, and no mistake of structure passes it.

Sound flows are changed at random: keys go, come or get another value. A failing seed is in the message.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flow_schema.reading import read

FLOWS = sorted((Path(__file__).parents[1] / "flows" / "ok").glob("*.yaml"))
STRUCTURE = {"unknown-key", "missing-key", "unknown-input", "missing-input", "unknown-action", "unknown-trigger"}
KEYS = (
    "if not_after name with timeout retry for_each max_parallel on_ambiguous continue_on_error idempotency_key wait "
    "connection stop enabled description vars outputs config inputs dedupe limit mode until default type rating phone "
    "properties lines options wait_up_to max_pages captured_at seats"
).split()
VALUES = (
    *(None, True, False, 0, 1, 101, 1.5, [], {}, ["a"], {"a": 1}, {"max_attempts": 3}, {"until": "run.started_at"}),
    *("", "a", "A", "5", "30s", "0s", "true", "steps", "hold", "queue", "gold", "2026-03-25T10:30:00Z", "flow.x"),
    *("crm.lead", "crm.find", "crm.payment", "trigger.score > 3", "${{ trigger.score }}", "${{ 1 }} x"),
    *("${{ trigger.visitor_email }}", "${{ trigger.captured_at }}", [{"id": "more", "uses": "crm.payment"}]),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each mapping and list in it, with each of its keys."""
    for key in [*(value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ())]:
        yield value, key
        yield from places(value[key])


def change(flow: Any, random: Random) -> None:
    owner, key = random.choice([*places(flow)])
    way = random.choice(("remove", "replace", "replace", "add"))
    if way == "remove":
        del owner[key]
    elif way == "replace":
        owner[key] = copy.deepcopy(random.choice(VALUES))
    elif isinstance(owner[key], dict):
        owner[key][random.choice(KEYS)] = copy.deepcopy(random.choice(VALUES))


@pytest.fixture(scope="module")
def sound() -> list[Any]:
    return [read(path.read_text()) for path in FLOWS]


def count_agreements(seeds: range, sound, check_text, refused) -> dict[str, int]:
    found = {"taken": 0, "refused": 0}
    for seed in seeds:
        random = Random(seed)  # noqa: S311 - a failing seed must fail again
        flow = copy.deepcopy(random.choice(sound))
        for _ in range(random.choice((1, 1, 2))):
            change(flow, random)
        text = json.dumps(flow, ensure_ascii=False)  # which is YAML too
        rules, told = {problem.rule for problem in check_text(text).problems}, refused(text)
        assert rules or not told, f"seed {seed}: {told[0]}\n{text}"
        assert told or not rules & STRUCTURE, f"seed {seed}: {rules}\n{text}"
        found["taken"] += not rules
        found["refused"] += bool(rules & STRUCTURE)
    return found


def test_schema_and_checker_agree(sound, check_models, refused_of_models):
    found = count_agreements(range(500), sound, check_models, refused_of_models)
    assert min(found.values()) > 80, found


@pytest.mark.torture
def test_schema_and_checker_agree_on_many(sound, check_models, refused_of_models):
    count_agreements(range(1_000, 21_000), sound, check_models, refused_of_models)
