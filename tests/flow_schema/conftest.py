"""The schema for the installed plugins, and the one for the operations of tests/flows."""

from collections.abc import Callable
from typing import Any

import pytest
from flow_schema.reading import read
from flows.conftest import CATALOGUE, MODELS, TRIGGER
from jsonschema import Draft202012Validator

from connector import flow_schema
from connector.flow_schema import Offer
from connector.flows.check import Checked, check
from connector.registry import Registry

Refusals = Callable[[str], list[str]]


def refusals(schema: dict[str, Any], text: str) -> list[str]:
    """Where the schema refuses a flow: `steps[0].with: …`."""
    errors = Draft202012Validator(schema).iter_errors(read(text))
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


@pytest.fixture(scope="session")
def check_models() -> Callable[[str], Checked]:
    """Checks a flow that uses the operations of tests/flows."""
    return lambda text: check(text, "flow.yaml", CATALOGUE)
