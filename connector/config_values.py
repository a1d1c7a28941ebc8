"""Finds the values that a flow reads as `config`: they differ per installation."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.errors import SettingsError
from connector.flows import values
from connector.flows.parameters import Parameters
from connector.flows.types import Type
from connector.settings import Settings, config_variable


def find(settings: Settings, declared: Parameters) -> dict[str, Any]:
    """The values by name, as JSON. Raises SettingsError with all that is missing or wrong."""
    found, missing, faults = {}, {}, []
    for name, one in declared.items():
        if one.required and name not in settings.config and settings.config_text(name) is None:
            missing[name] = one.type
            continue
        try:
            found[name] = _find(settings, name, one.type, one.default)
        except ValueError as error:
            faults.append(str(error))
    if missing or faults:
        raise SettingsError("; ".join([*_describe(missing), *faults]))
    return found


def _find(settings: Settings, name: str, kind: Type, default: Any) -> Any:
    """Raises ValueError with a sentence."""
    if (text := settings.config_text(name)) is not None:
        try:
            return values.read_text(text, kind)
        except ValueError as error:
            raise ValueError(f"{config_variable(name)}: {error}") from error
    value = settings.config.get(name, default)
    if name in settings.config and (refused := values.refuse(value, kind)) is not None:
        raise ValueError(f"connections.yaml: config.{name}: {refused}")
    return value


def _describe(missing: Mapping[str, Type]) -> Sequence[str]:
    """No sentence where nothing is missing."""
    if not missing:
        return []
    named = " and ".join(f"config.{name} ({kind})" for name, kind in missing.items())
    lines = ", ".join(f"{name}: …" for name in missing)
    variables = " and ".join(config_variable(name) for name in missing)
    has = "has" if len(missing) == 1 else "have"
    return [f"{named} {has} no value: write `config: {{{lines}}}` into connections.yaml, or set {variables}"]
