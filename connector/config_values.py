"""Finds the values that a flow reads as `config`: they differ per installation."""

from typing import Any

from connector.errors import SettingsError
from connector.flows import values
from connector.flows.parameters import Parameter, Parameters
from connector.settings import Settings, config_variable


def find_all(settings: Settings, declared: Parameters) -> dict[str, Any]:
    """The values, as JSON. Raises SettingsError with all that is wrong."""
    found, faults = {}, []
    for name, parameter in declared.items():
        try:
            found[name] = _find(settings, name, parameter)
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("; ".join(faults))
    return found


def _find(settings: Settings, name: str, declared: Parameter) -> Any:
    if (text := settings.config_text(name)) is not None:
        try:
            return values.read_text(text, declared.type)
        except ValueError as error:
            raise SettingsError(f"{config_variable(name)}: {error}") from error
    if name not in settings.config:
        if declared.required:
            raise SettingsError(
                f"config.{name} ({declared.type}) has no value: write `config: {{{name}: …}}` into connections.yaml, "
                f"or set {config_variable(name)}"
            )
        return declared.default
    value = settings.config[name]
    if (refused := values.refuse(value, declared.type)) is not None:
        raise SettingsError(f"connections.yaml: config.{name}: {refused}")
    return value
