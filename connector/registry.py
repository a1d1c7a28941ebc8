"""Finds the plugins and holds what they declare. There is no global registry: `load` makes one."""

import contextlib
import functools
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, TypeVar

import pluggy
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from connector import choices, hookspecs
from connector.declare import Action, ConnectionType, Trigger, connector_of
from connector.errors import PluginError, UnknownOperationError
from connector.flows.catalogue import Operation
from connector.flows.problems import did_you_mean, one_of
from connector.plugins import starts
from connector.validation import quoted, read, refuse, sentence

GROUP = "connector.plugins"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME_RULE = "lower-case letters, digits and _, starting with a letter"
_RESERVED = ("flow",)  # `flow.NAME` is a flow that runs as a step of another
_HOOKS = ("register_connections", "register_actions", "register_triggers")
Declared = TypeVar("Declared", Action, Trigger)


@dataclass(frozen=True, slots=True)
class Registry:
    """What the installed plugins declare, by full name. `connections` is by plugin."""

    actions: Mapping[str, Action]
    triggers: Mapping[str, Trigger]
    connections: Mapping[str, ConnectionType]

    def action(self, name: str) -> Action:
        if name in self.triggers:
            raise UnknownOperationError(f"{name} is a trigger, which starts flows; expected an action")
        return _found("action", name, self.actions)

    def trigger(self, name: str) -> Trigger:
        if name in self.actions:
            raise UnknownOperationError(f"{name} is an action, which is run; expected a trigger")
        return _found("trigger", name, self.triggers)

    def operation(self, name: str) -> Action | Trigger:
        return self.triggers[name] if name in self.triggers else self.action(name)


def load(points: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every plugin. Raises PluginError, naming the plugin, where one is broken.

    What plugins print meanwhile goes to stderr: stdout belongs to the command, which may write JSON there.
    """
    with contextlib.redirect_stdout(sys.stderr):
        collected = _collect(entry_points(group=GROUP) if points is None else points)
    return Registry(
        MappingProxyType(dict(collected.actions)),
        MappingProxyType({**collected.triggers, **{trigger.name: trigger for trigger in starts.TRIGGERS}}),
        MappingProxyType(dict(collected.connections)),
    )


class _AsDumped(GenerateJsonSchema):
    """The schema of what `model_dump` gives: each field of a model is there, also one with a default."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        return field["type"] == "model-field" or super().field_is_required(field, total)


def schemas_of(declared: Action | Trigger) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON Schema of the input, as it is given, and of the output, as it is dumped."""
    return (
        declared.input.model_json_schema(mode="validation"),
        declared.output.model_json_schema(mode="serialization", by_alias=False, schema_generator=_AsDumped),
    )


def operation_of(declared: Action | Trigger) -> Operation:
    """The types of an action or a trigger, for the checker."""
    effect = declared.effect if isinstance(declared, Action) else None
    operation = Operation.of(*schemas_of(declared), effect, functools.partial(refuse, declared.input))
    if not isinstance(declared, Action) or (decides := declared.by_constants) is None:
        return operation

    def decide(given: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        return decides.effect(given), decides.output(given)

    return replace(operation, constants=decides.names, decide=decide)


def _collect(points: Iterable[EntryPoint]) -> "_Collected":
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    # Sorted, so that the order of declarations does not depend on the order of installation.
    for point in sorted(points, key=lambda point: point.name):
        _register(manager, point)
    collected = _Collected()
    for plugin, _ in manager.list_name_plugin():
        collected.collect(manager, plugin)
        collected.require_whole(plugin)
    return collected


def _register(manager: pluggy.PluginManager, point: EntryPoint) -> None:
    if not _NAME.fullmatch(point.name) or point.name in _RESERVED:
        raise PluginError(point.name, f"its name must be {_NAME_RULE}, and not {one_of(_RESERVED)}")
    if manager.has_plugin(point.name):
        other = manager.get_plugin(point.name)
        both = f"{getattr(other, '__name__', other)!r} and {point.value!r}"
        raise PluginError(point.name, f"two installed packages have a plugin of this name, {both}; uninstall one")
    plugin = _import(point)
    try:
        manager.register(plugin, name=point.name)
    except pluggy.PluginValidationError as error:
        raise PluginError(point.name, f"a hook is wrong: {_one_line(error)}") from error
    except ValueError as error:
        raise PluginError(point.name, f"{point.value!r} is installed under another name as well") from error
    _require_known_hooks(manager, point, plugin)


def _import(point: EntryPoint) -> object:
    try:
        return point.load()
    # Whatever a stranger's import raises. A Ctrl-C of the user meanwhile looks the same, and stops the command too.
    except BaseException as error:
        raise PluginError(point.name, f"importing {point.value!r} failed: {_one_line(error)}") from error


def _require_known_hooks(manager: pluggy.PluginManager, point: EntryPoint, plugin: object) -> None:
    hooks = manager.get_hookcallers(plugin) or []
    if not hooks:
        raise PluginError(point.name, f"{point.value!r} has no hook; write @hookimpl above its {_HOOKS[1]}(register)")
    for hook in hooks:
        for implementation in hook.get_hookimpls():
            if not hook.has_spec() and not implementation.optionalhook:
                raise PluginError(point.name, f"there is no hook {hook.name!r}; {did_you_mean(hook.name, _HOOKS)}")
            if hook.name in _HOOKS and not implementation.argnames:
                raise PluginError(point.name, f"{hook.name} takes nothing; write {hook.name}(register)")


class _Collected:
    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        self.triggers: dict[str, Trigger] = {}
        self.connections: dict[str, ConnectionType] = {}

    def collect(self, manager: pluggy.PluginManager, plugin: str) -> None:
        """Call the plugin's hooks and keep what they declare under its name."""
        others = [other for name, other in manager.list_name_plugin() if name != plugin]
        receivers: tuple[Callable[[object], None], ...] = (
            lambda declared: self._connection(plugin, declared),
            lambda declared: self._operation(plugin, declared, Action, self.actions),
            lambda declared: self._operation(plugin, declared, Trigger, self.triggers),
        )
        for hook, receive in zip(_HOOKS, receivers, strict=True):
            try:
                for value in manager.subset_hook_caller(hook, others)(register=receive):
                    _refuse_returned(plugin, hook, value)
            except PluginError:
                raise
            except BaseException as error:  # whatever a stranger's hook raises, or the user's Ctrl-C, as in an import
                raise PluginError(plugin, f"{hook} failed: {_one_line(error)}") from error

    def require_whole(self, plugin: str) -> None:
        """Raise PluginError where one declaration of the plugin names another one that does not fit."""
        connection = self.connections.get(plugin)
        if connection is not None and connection.test is not None:
            test = self.actions.get(f"{plugin}.{connection.test}")
            if test is None or test.effect != "read":
                raise PluginError(
                    plugin, f"the test of its connection, {connection.test!r}, is no read action of it; name one"
                )
        for name, trigger in self.triggers.items():
            if connector_of(name) == plugin:
                self._require_whole_trigger(plugin, name, trigger)
        operations: dict[str, Action | Trigger] = {**self.actions, **self.triggers}
        for name, declared in operations.items():
            if connector_of(name) == plugin and (fault := choices.find_fault(declared, self.actions)):
                raise PluginError(plugin, f"{name} is wrong: {fault}")

    def _require_whole_trigger(self, plugin: str, name: str, trigger: Trigger) -> None:
        if ("poll" in trigger.sources) != (trigger.poll is not None or bool(trigger.joins)):
            raise PluginError(plugin, f"{name} has sources {trigger.sources!r}; 'poll' goes with a poll function")
        if ("schedule" in trigger.sources) != (trigger.timetable is not None):
            raise PluginError(plugin, f"{name} has sources {trigger.sources!r}; 'schedule' goes with a timetable")
        connection = self.connections.get(plugin)
        if "webhook" in trigger.sources and (connection is None or connection.webhook is None):
            raise PluginError(plugin, f"{name} takes webhooks, but the plugin's connection has no Webhook; give it one")
        for part in trigger.joins:
            if f"{plugin}.{part}" not in self.triggers:
                raise PluginError(plugin, f"{name} joins {part!r}, which the plugin does not declare")

    def _connection(self, plugin: str, declared: object) -> None:
        if not isinstance(declared, ConnectionType):
            raise PluginError(plugin, f"register_connections was given {quoted(declared)}, not a ConnectionType")
        if plugin in self.connections:
            raise PluginError(plugin, "a plugin has at most one kind of connection")
        _require_types(plugin, "its connection", declared)
        _require_schema(plugin, "its connection", declared.model.model_json_schema)
        self.connections[plugin] = declared

    def _operation(self, plugin: str, declared: object, kind: type[Declared], known: dict[str, Declared]) -> None:
        if not isinstance(declared, kind):
            raise PluginError(plugin, f"{quoted(declared)} is not declared as {kind.__name__.lower()}")
        _require_types(plugin, f"the {kind.__name__.lower()} {quoted(declared.name)}", declared)
        if not _NAME.fullmatch(declared.name):
            raise PluginError(plugin, f"the name {quoted(declared.name)} must be {_NAME_RULE}")
        name = f"{plugin}.{declared.name}"
        if name in self.actions or name in self.triggers:
            raise PluginError(plugin, f"{name} is declared twice; rename one of them")
        _require_schema(plugin, name, lambda: operation_of(declared))
        if isinstance(declared, Action) and declared.example:
            _require_fit(plugin, name, declared)
        known[name] = replace(declared, name=name)


def _refuse_returned(plugin: str, hook: str, value: object) -> None:
    if inspect.iscoroutine(value):
        value.close()
        raise PluginError(plugin, f"{hook} is async; write it with def: hooks only register")
    raise PluginError(plugin, f"{hook} returned {quoted(value)}; it must be a plain function that only registers")


@functools.cache
def _types_of(kind: type[Any]) -> type[BaseModel]:
    """A model that takes the fields of the dataclass `kind`, and of the dataclasses in them, as they are annotated."""
    hints = typing.get_type_hints(kind)
    config = ConfigDict(strict=True, revalidate_instances="always")
    taken: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(kind)}
    return create_model(kind.__name__, __config__=config, **taken)


def _require_types(plugin: str, place: str, declared: Action | Trigger | ConnectionType) -> None:
    kind: Any = type(declared)
    try:
        _types_of(kind).model_validate({field.name: getattr(declared, field.name) for field in fields(kind)})
    except ValidationError as error:
        raise PluginError(plugin, f"{place} is wrong: {sentence(error)}") from error
    for name, function in _functions(declared):
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise PluginError(plugin, f"{place} is wrong: {name} is async; write it with def")


def _functions(declared: Any, prefix: str = "") -> Iterator[tuple[str, object]]:
    """The fields that hold what must not be async, with the names of the fields; `run` of an action is."""
    for field in fields(declared):
        value = getattr(declared, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from _functions(value, f"{prefix}{field.name}.")
        elif callable(value) and field.name != "run":
            yield f"{prefix}{field.name}", value


def _require_schema(plugin: str, name: str, make: Callable[[], object]) -> None:
    try:
        make()
    except Exception as error:  # pydantic has many ways to say that a model has no schema
        raise PluginError(plugin, f"{name} has no JSON Schema: {_one_line(error)}") from error


def _require_fit(plugin: str, name: str, action: Action) -> None:
    try:
        read(action.input, action.example)
    except ValidationError as error:
        raise PluginError(plugin, f"the example of {name} does not fit its input: {sentence(error)}") from error


def _found(kind: str, name: str, known: Mapping[str, Declared]) -> Declared:
    if name in known:
        return known[name]
    hint = did_you_mean(name, known)
    raise UnknownOperationError(f"there is no {kind} {quoted(name)}" + (f"; {hint}" if hint else ""))


def _one_line(error: BaseException) -> str:
    """The error without the address of pydantic's documentation."""
    try:
        text = str(error).partition("\n\nFor further information")[0]
    except Exception:  # a stranger's class may fail at that too
        text = ""
    return " ".join(f"{type(error).__name__}: {text}".split()).removesuffix(":")
