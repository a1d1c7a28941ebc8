import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connector.declare import Action, Trigger
from connector.errors import PluginError, UnknownOperationError
from connector.registry import GROUP, Registry, load, operation_of

HEAD = """
import logging
import typing
from pydantic import BaseModel, RootModel
from connector.declare import ActionContext, ConnectionType, Event, Secret, Trigger, action
from connector.errors import PluginError
from connector.hookspecs import hookimpl

class Name(BaseModel):
    name: str

class Greeting(BaseModel):
    text: str

@action(effect="read", title="Say hello", example={"name": "Ann"})
async def say_hello(input: Name, context: ActionContext[None]) -> Greeting:
    return Greeting(text=f"Hello {input.name}")

PING = Event("ping", "1", None, {}, "manual")
GREETED = Trigger("greeted", "Greeted", "", Name, Greeting, lambda event, input, at: None, PING, ("manual",))

def connection(model):
    return ConnectionType(model=model, title="", help="", default=lambda settings: None)
"""
REGISTER = """
@hookimpl
def register_actions(register):
    register(say_hello)
"""
ACCOUNT = """
class Account(BaseModel):
    token: Secret

@hookimpl
def register_triggers(register):
    register(GREETED)

@hookimpl
def register_connections(register):
    register(connection(Account))
"""

Install = Callable[..., EntryPoint]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """install(source, name="greetings") → the entry point of a plugin that was just written."""
    monkeypatch.syspath_prepend(tmp_path)
    written: list[str] = []

    def write(source: str, name: str = "greetings", attribute: str = "") -> EntryPoint:
        written.append(f"{tmp_path.name}_{len(written)}")
        (tmp_path / f"{written[-1]}.py").write_text(HEAD + source)
        importlib.invalidate_caches()
        return EntryPoint(name, written[-1] + attribute, GROUP)

    yield write
    for module in written:
        sys.modules.pop(module, None)


def test_strangers_plugin_stands_beside_the_built_in_ones(install, built_in_points):
    point = install(REGISTER + ACCOUNT)
    alone, together = load(built_in_points), load([point, *built_in_points])
    assert together.actions.keys() - alone.actions.keys() == {"greetings.say_hello"}
    assert together.triggers.keys() - alone.triggers.keys() == {"greetings.greeted"}
    assert together.connections.keys() - alone.connections.keys() == {"greetings"}
    declared = together.action("greetings.say_hello")
    assert (declared.name, declared.title, declared.effect) == ("greetings.say_hello", "Say hello", "read")


def test_plugin_that_waits_for_a_later_hook_is_loaded(install):
    source = "@hookimpl(optionalhook=True)\ndef run_finished(run):\n    pass\n"
    assert load([install(REGISTER + source)]).actions.keys() == {"greetings.say_hello"}


def test_what_is_registered_after_loading_changes_nothing(install):
    point = install("@hookimpl\ndef register_actions(register):\n    Name.later = register\n")
    registry = load([point])
    sys.modules[point.value].Name.later(sys.modules[point.value].say_hello)
    assert not registry.actions


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param(
            "import missing_module", "importing '{module}' failed: ModuleNotFoundError: No module", id="import"
        ),
        pytest.param("def broken(:", "importing '{module}' failed: SyntaxError: invalid syntax", id="syntax"),
        pytest.param("raise SystemExit(3)", "importing '{module}' failed: SystemExit: 3", id="exit"),
        pytest.param(
            "def register_actions(register): ...", "'{module}' has no hook; write @hookimpl", id="no hookimpl"
        ),
        pytest.param(
            "@hookimpl\ndef register_acton(register): ...",
            "there is no hook 'register_acton'; did you mean 'register_actions'?",
            id="unknown hook",
        ),
        pytest.param(
            "@hookimpl\ndef register_actions(regster): ...",
            "a hook is wrong: PluginValidationError: ",
            id="wrong argument",
        ),
        pytest.param(
            "@hookimpl\ndef register_actions(): ...",
            "register_actions takes nothing; write register_actions(register)",
            id="no argument",
        ),
        pytest.param(
            "@hookimpl\nasync def register_actions(register): ...",
            "register_actions is async; write it with def: hooks only register",
            id="async hook",
        ),
        pytest.param(
            "@hookimpl\ndef register_actions(register): yield", "register_actions returned <generator", id="generator"
        ),
        pytest.param(
            "@hookimpl\ndef register_triggers(register): [][1]",
            "register_triggers failed: IndexError: list index out of range",
            id="exception in a hook",
        ),
        pytest.param(
            "@hookimpl\ndef register_triggers(register): raise SystemExit",
            "register_triggers failed: SystemExit",
            id="exit in a hook",
        ),
        pytest.param("raise KeyboardInterrupt", "importing '{module}' failed: KeyboardInterrupt", id="interrupt"),
        pytest.param(
            "@hookimpl\ndef register_triggers(register): raise GeneratorExit('left')",
            "register_triggers failed: GeneratorExit: left",
            id="no Exception in a hook",
        ),
        pytest.param(
            "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute",
            "importing '{module}' failed: Mute",
            id="exception that cannot be written",
        ),
        pytest.param(
            "class Mute:\n    def __repr__(self): raise ValueError('mute')\n"
            "@hookimpl\ndef register_actions(register): return Mute()",
            "register_actions failed: ValueError: mute",
            id="result that cannot be written",
        ),
        pytest.param(
            "@hookimpl\ndef register_actions(register): register(GREETED)",
            "Trigger(name='greeted'",
            id="a trigger for an action",
        ),
        pytest.param(
            "@hookimpl\ndef register_triggers(register): register(7)", "7 is not declared as", id="no trigger"
        ),
        pytest.param(
            "@hookimpl\ndef register_connections(register): register(7)",
            "register_connections was given 7, not a ConnectionType",
            id="no connection",
        ),
        pytest.param(REGISTER + "    register(say_hello)", "greetings.say_hello is declared twice", id="same name"),
        pytest.param(
            "from dataclasses import replace\n" + REGISTER + "\n"
            "@hookimpl\ndef register_triggers(register): register(replace(GREETED, name='say_hello'))",
            "greetings.say_hello is declared twice",
            id="an action and a trigger of one name",
        ),
        pytest.param(
            "@hookimpl\ndef register_connections(register):\n    for _ in 'ab': register(connection(Name))",
            "a plugin has at most one kind of connection",
            id="two connections",
        ),
        pytest.param(
            "@action(effect='read', title='')\n"
            "async def SayHello(input: Name, context: object) -> Greeting: ...\n"
            "@hookimpl\ndef register_actions(register): register(SayHello)",
            "the name 'SayHello' must be lower-case letters",
            id="bad action name",
        ),
        pytest.param(
            "@action(effect='read', title='', example={'nam': 'Ann'})\n"
            "async def greet(input: Name, context: object) -> Greeting: ...\n"
            "@hookimpl\ndef register_actions(register): register(greet)",
            "the example of greetings.greet does not fit its input: name is missing",
            id="example",
        ),
        pytest.param(
            "class Log(BaseModel, arbitrary_types_allowed=True):\n    log: logging.Logger\n"
            "@action(effect='read', title='')\nasync def greet(input: Log, context: object) -> Greeting: ...\n"
            "@hookimpl\ndef register_actions(register): register(greet)",
            "greetings.greet has no JSON Schema: PydanticInvalidForJsonSchema: Cannot generate",
            id="no JSON Schema",
        ),
        pytest.param(
            "from dataclasses import replace\n"
            "@hookimpl\ndef register_triggers(register): register(replace(GREETED, sources=('poll',)))",
            "greetings.greeted has sources ('poll',); 'poll' goes with a poll function",
            id="polled without a poll",
        ),
        pytest.param(
            "from dataclasses import replace\n"
            "@hookimpl\ndef register_triggers(register): register(replace(GREETED, sources=('schedule',)))",
            "greetings.greeted has sources ('schedule',); 'schedule' goes with a timetable",
            id="started by the clock without a timetable",
        ),
        pytest.param(
            "from dataclasses import replace\n"
            "@hookimpl\ndef register_triggers(register): register(replace(GREETED, sources=('webhook',)))",
            "greetings.greeted takes webhooks, but the plugin's connection has no Webhook; give it one",
            id="webhook without a connection that has one",
        ),
        pytest.param(
            "from dataclasses import replace\n"
            "@hookimpl\ndef register_triggers(register):\n"
            "    register(replace(GREETED, sources=('poll',), joins=('event',)))",
            "greetings.greeted joins 'event', which the plugin does not declare",
            id="join of something unknown",
        ),
        pytest.param(
            "from dataclasses import replace\n"
            "@hookimpl\ndef register_connections(register): register(replace(connection(Name), test='say_hello'))",
            "the test of its connection, 'say_hello', is no read action of it",
            id="test that is not there",
        ),
        pytest.param(
            "from connector.marks import chosen_from\n"
            "class Pick(BaseModel):\n    name: typing.Annotated[str, chosen_from('gone', 'text')]\n"
            "@action(effect='read', title='')\nasync def greet(input: Pick, context: object) -> Greeting: ...\n"
            "@hookimpl\ndef register_actions(register): register(greet)",
            "greetings.greet is wrong: the choices of its name are of 'gone', which is no read action of the plugin",
            id="choices of an action that is not there",
        ),
        pytest.param(
            "from connector.marks import chosen_from\n"
            "class Pick(BaseModel):\n    name: typing.Annotated[str, chosen_from('greet', 'texts')]\n"
            "@action(effect='read', title='')\nasync def greet(input: Pick, context: object) -> Greeting: ...\n"
            "@hookimpl\ndef register_actions(register): register(greet)",
            "greetings.greet is wrong: the choices of its name are 'texts' of greetings.greet, whose output has no",
            id="choices that the output lacks",
        ),
        pytest.param(
            "from connector.marks import chosen_from\n"
            "class Row(BaseModel):\n    key: str\nclass Rows(BaseModel):\n    rows: list[Row]\n"
            "class Pick(BaseModel):\n    name: typing.Annotated[str, chosen_from('greet', 'rows')]\n"
            "@action(effect='read', title='')\nasync def greet(input: Pick, context: object) -> Rows: ...\n"
            "@hookimpl\ndef register_actions(register): register(greet)",
            "greetings.greet is wrong: the choices of its name are by 'id', which Row of greetings.greet has not",
            id="choices without their value",
        ),
        pytest.param(
            "from connector.marks import chosen_from\n"
            "class Pick(BaseModel):\n    name: typing.Annotated[str, chosen_from('greet', 'text', cursor='after')]\n"
            "@action(effect='read', title='')\nasync def greet(input: Pick, context: object) -> Greeting: ...\n"
            "@hookimpl\ndef register_actions(register): register(greet)",
            "greetings.greet is wrong: the choices of its name come by 'after': greetings.greet must take",
            id="choices without their cursor",
        ),
        pytest.param(
            "@hookimpl\ndef register_connections(register): register(connection(int))",
            "its connection is wrong: model: input should be a subclass of BaseModel, not <class 'int'>",
            id="connection that is no model",
        ),
    ],
)
def test_broken_plugin_is_named_with_the_reason(install, built_in_points, source, reason):
    point = install(source)
    with pytest.raises(PluginError) as caught:
        load([*built_in_points, point])
    assert caught.value.plugin == "greetings"
    sentence = f"plugin 'greetings' cannot be loaded: {reason.format(module=point.value)}"
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


DECLARED = {
    "register_actions": ("say_hello", "the action 'say_hello'"),
    "register_triggers": ("GREETED", "the trigger 'greeted'"),
    "register_connections": ("connection(Name)", "its connection"),
}
ASYNC = "async def late(*_): ...\n"


@pytest.mark.parametrize(
    ("hook", "change", "reason"),
    [
        ("register_actions", "title=5", "title: input should be a valid string, not 5"),
        ("register_actions", "description=None", "description: input should be a valid string, not None"),
        ("register_actions", "effect='write'", "effect: input should be 'read', 'idempotent', 'once' or 'destructive'"),
        ("register_actions", "purpose='batch'", "purpose: input should be "),
        ("register_actions", "output=int", "output: input should be a subclass of BaseModel, not <class 'int'>"),
        ("register_actions", "example=[1]", "example: input should be a valid dictionary, not [1]"),
        ("register_actions", "one_at_a_time=late", "one_at_a_time is async; write it with def"),
        ("register_triggers", "title=5", "title: input should be a valid string, not 5"),
        (
            "register_triggers",
            "sources=('webhok',)",
            "sources.0: input should be 'webhook', 'poll', 'schedule' or 'manual', not 'webhok'",
        ),
        ("register_triggers", "sources='poll'", "sources: input should be a valid tuple, not 'poll'"),
        ("register_triggers", "joins=(1,)", "joins.0: input should be a valid string, not 1"),
        ("register_triggers", "select=late", "select is async; write it with def"),
        ("register_triggers", "poll=late", "poll is async; write it with def"),
        ("register_triggers", "sample={}", "sample: input should be an instance of Event"),
        ("register_triggers", "sample=replace(PING, identity=7)", "sample.identity: input should be a valid string"),
        ("register_connections", "title=5", "title: input should be a valid string, not 5"),
        ("register_connections", "rate_limit=100", "rate_limit: input should be an instance of RateLimit, not 100"),
        ("register_connections", "webhook=Webhook(late, len, len)", "webhook.verify is async; write it with def"),
    ],
    ids=lambda value: value if "=" in value else "",
)
def test_field_of_a_wrong_type_is_named_with_its_declaration(install, hook, change, reason):
    declared, place = DECLARED[hook]
    source = f"@hookimpl\ndef {hook}(register): register(replace({declared}, {change}))"
    head = f"from dataclasses import replace\nfrom connector.declare import Webhook\n{ASYNC}"
    with pytest.raises(PluginError) as caught:
        load([install(head + source)])
    assert str(caught.value).startswith(f"plugin 'greetings' cannot be loaded: {place} is wrong: {reason}")


def test_name_that_is_no_text_is_named(install):
    source = "from dataclasses import replace\n@hookimpl\ndef register_actions(register): "
    with pytest.raises(PluginError, match="the action 5 is wrong: name: input should be a valid string, not 5"):
        load([install(source + "register(replace(say_hello, name=5))")])


def test_what_a_plugin_prints_goes_to_stderr(install, capsys):
    registry = load([install("print('imported')\n" + REGISTER + "    print('called')\n")])
    assert registry.actions.keys() == {"greetings.say_hello"}
    print("afterwards")
    assert capsys.readouterr() == ("afterwards\n", "imported\ncalled\n")


@pytest.mark.parametrize(
    ("declaration", "reason"),
    [
        pytest.param("@action(effect='read', title='')\ndef f(input: Name, c): ...", "an async function", id="sync"),
        pytest.param("@action(effect='read', title='')\nasync def f(input: Name): ...", "two parameters", id="one"),
        pytest.param(
            "@action(effect='write', title='')\nasync def f(input: Name, c) -> Greeting: ...",
            "effect is 'write', expected one of read, idempotent, once, destructive",
            id="effect",
        ),
        pytest.param(
            "@action(effect='read', title='', purpose='batch')\nasync def f(input: Name, c) -> Greeting: ...",
            "purpose is 'batch', expected one of takeover",
            id="purpose",
        ),
        pytest.param(
            "@action(effect='read', title='')\nasync def f(input: dict, c) -> Greeting: ...",
            "its first parameter must be annotated with a pydantic model of fields, not <class 'dict'>",
            id="input",
        ),
        pytest.param(
            "@action(effect='read', title='')\nasync def f(input: Name, c): ...",
            "its return value must be annotated with a pydantic model of fields, not None",
            id="output",
        ),
        pytest.param(
            "@action(effect='read', title='')\nasync def f(input: Name, c) -> RootModel[list[str]]: ...",
            "its return value must be annotated with a pydantic model of fields, not <class",
            id="output that is a list",
        ),
    ],
)
def test_wrong_declaration_is_named(install, declaration, reason):
    with pytest.raises(PluginError, match=r"importing '.*' failed: TypeError: action 'f'") as caught:
        load([install(declaration)])
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["Greetings", "greet-ings", "1greetings", "flow", ""])
def test_bad_name_of_a_plugin_is_refused(install, name):
    with pytest.raises(PluginError, match="its name must be lower-case letters, digits and _, starting with a letter"):
        load([install(REGISTER, name)])


def test_two_plugins_of_one_name_are_refused(install):
    with pytest.raises(PluginError, match="plugin 'greetings' cannot be loaded: two installed packages"):
        load([install(REGISTER), install(REGISTER)])


def test_one_plugin_of_two_names_is_refused(install):
    point = install(REGISTER)
    with pytest.raises(PluginError, match=r"plugin 'hello' cannot be loaded: '.*' is installed under another name"):
        load([point, EntryPoint("hello", point.value, GROUP)])


def test_attribute_that_is_not_there_is_named(install):
    with pytest.raises(PluginError, match=r"failed: AttributeError: module '.*' has no attribute 'plugin'"):
        load([install(REGISTER, attribute=":plugin")])


def test_operation_of_the_other_kind_is_named_as_such(built_in):
    with pytest.raises(UnknownOperationError, match=r"new_lead is a trigger, .* expected an action"):
        built_in.action("chatforge.new_lead")
    with pytest.raises(UnknownOperationError, match=r"find_lead is an action, .* expected a trigger"):
        built_in.trigger("chatforge.find_lead")


def test_unknown_names_get_a_hint(built_in):
    with pytest.raises(UnknownOperationError, match=r"no action 'contacts\.upset'; did you mean 'contacts\.upsert'"):
        built_in.action("contacts.upset")
    with pytest.raises(UnknownOperationError, match=r"no trigger 'chatforge\.evnt'; did you mean 'chatforge\.event'"):
        built_in.trigger("chatforge.evnt")
    with pytest.raises(UnknownOperationError, match=r"^there is no action '.{1,100}$"):
        built_in.action("?" * 10_000)
    many = Registry(dict.fromkeys("abcdefghijklmn", built_in.action("contacts.find")), {}, {})
    with pytest.raises(UnknownOperationError, match=r"^there is no action 'zzz'$"):
        many.action("zzz")


def test_built_in_declarations_are_complete(built_in):
    """Each has a title and a description, and an action an example that its model takes."""
    declared: list[Action | Trigger] = [*built_in.actions.values(), *built_in.triggers.values()]
    assert [one.name for one in declared if not one.title or one.description in ("", one.title)] == []
    needing = [
        one for one in built_in.actions.values() if any(f.is_required() for f in one.input.model_fields.values())
    ]
    assert [one.name for one in needing if not one.example] == []


def test_field_that_is_made_by_a_factory_is_always_there(built_in):
    page = operation_of(built_in.action("contacts.list")).output
    [contact] = [page.fields["contacts"].item]
    assert {"notes", "properties"} <= contact.required
