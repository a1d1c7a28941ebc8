"""The schema for the installed plugins, and the one for the operations of tests/flows."""

from collections.abc import Callable
from typing import Any

import pytest
from flows.conftest import MODELS, TRIGGER
from jsonschema import Draft202012Validator

from connector import flow_schema
from connector.flow_schema import Offer
from connector.flows import document
from connector.flows.document import Mapping, Node, Sequence
from connector.flows.problems import Report
from connector.registry import Registry

Refusals = Callable[[str], list[str]]


def plain(node: Node) -> Any:
    """The value as the checker reads it."""
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    return [plain(item) for item in node.items] if isinstance(node, Sequence) else node.value


def refusals(schema: dict[str, Any], text: str) -> list[str]:
    """Where the schema refuses a flow: `steps[0].with: …`."""
    report = Report("flow.yaml")
    root = document.parse(document.decode(text, report), report)
    assert root is not None, report.problems()
    errors = Draft202012Validator(schema).iter_errors(plain(root))
    return sorted(f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors)


@pytest.fixture(scope="session")
def schema(built_in: Registry) -> dict[str, Any]:
    return flow_schema.build(flow_schema.offers(built_in.triggers), flow_schema.offers(built_in.actions))


@pytest.fixture(scope="session")
def refused(schema: dict[str, Any]) -> Refusals:
    """What the schema of the installed plugins refuses of a flow."""
    return lambda text: refusals(schema, text)


@pytest.fixture(scope="session")
def refused_of_models() -> Refusals:
    """The same for the operations of tests/flows, whose inputs have lists, unions and types that contain themselves."""
    made = flow_schema.build(
        {"crm.lead": Offer("Lead", "A lead.", TRIGGER[0].model_json_schema())},
        {name: Offer(name, "An action.", models[0].model_json_schema()) for name, models in MODELS.items()},
    )
    return lambda text: refusals(made, text)
