"""What most commands start with: the plugins and the settings."""

import os
from collections.abc import Sequence
from pathlib import Path

from connector import registry, settings
from connector.adapter import Adapter
from connector.declare import connector_of
from connector.errors import SettingsError
from connector.flows import failures
from connector.flows.flow import Flow, TriggerUse, WaitFor
from connector.flows.problems import did_you_mean
from connector.settings import Settings


def load_settings(flows: Path | None = None) -> Settings:
    """The settings of this folder; connections.yaml lies beside the flows, which are in `flows` unless it is here."""
    # os.path says no of a name that no file can have; Path raises OSError.
    beside = flows.parent if flows and not os.path.isdir(flows) else flows
    if beside is None and not Path("connections.yaml").exists() and Path("flows/connections.yaml").exists():
        beside = Path("flows")
    return settings.load(Path.cwd(), beside)


def load_adapter(flows: Path | None = None) -> Adapter:
    if flows is not None and not os.path.exists(flows):
        raise SettingsError(f"--flows is {str(flows)!r}, which does not exist; name a folder or a flow")
    return Adapter(registry.load(), load_settings(flows))


def require_connections(adapter: Adapter, flows: Sequence[Flow]) -> None:
    """Raise SettingsError unless each connection that the flows use, those that are on, has what it needs."""
    require_config(adapter, [flow for flow in flows if flow.enabled])
    for flow in flows:
        if flow.enabled:
            if flow.trigger is not None:
                _require_trigger(adapter, flow.trigger)
            require_steps(adapter, flow)


def _require_trigger(adapter: Adapter, used: TriggerUse | WaitFor) -> None:
    connector, sources = connector_of(used.uses), adapter.registry.trigger(used.uses).sources
    if "webhook" in sources:
        adapter.require_webhook(connector, used.connection)
    if "poll" in sources:
        adapter.require_connection(connector, used.connection)


def require_steps(adapter: Adapter, flow: Flow) -> None:
    """Raise SettingsError unless the flow's configuration, and each connection of its steps, has what it needs."""
    require_config(adapter, [flow])
    for _, step in flow.all_steps():
        if isinstance(step.does, WaitFor):
            _require_trigger(adapter, step.does)
    for _, call in flow.calls_of_actions():
        adapter.require_connection(connector_of(call.uses), call.connection)


def require_config(adapter: Adapter, flows: Sequence[Flow]) -> None:
    """Raise SettingsError with all that the flows, and those that they call, read as `config` and that has no value."""
    owners = {owner.name: owner for flow in flows for owner in (flow, *(one for one, _ in flow.all_steps()))}
    faults = []
    for name, owner in sorted(owners.items()):
        try:
            adapter.config(owner.config)
        except SettingsError as error:
            faults.append(f"the flow {name!r}: {error}")
    if faults:
        raise SettingsError("; ".join(faults))


def pause_of(adapter: Adapter, flow: Flow) -> float | None:
    """Seconds between two polls for the flow; None where nothing is polled."""
    trigger = flow.started_by
    watching = adapter.watch(trigger.uses, trigger.input)
    return watching.every if watching is not None else adapter.pause(trigger.uses, trigger.input)


def require_told(settings: Settings, flows: Sequence[Flow]) -> None:
    """Raise SettingsError where CHATFORGE_ON_FAILURE names what cannot be told."""
    target = settings.on_failure.get_secret_value() if settings.on_failure else None
    if target is None:
        return
    if failures.is_url(target):
        reason = failures.refuse_url(target)
    else:
        found = next((flow for flow in flows if flow.name == target), None)
        names = [flow.name for flow in flows if flow.trigger is None]
        missing = f"{did_you_mean(target, names) or 'there is no such flow'}; give a flow with inputs, or a URL"
        reason = failures.refuse_flow(found) if found else missing
    if reason is not None:
        shown = repr(target[:60]) if not failures.is_url(target) else "a URL"
        raise SettingsError(f"CHATFORGE_ON_FAILURE is {shown}: {reason}")
