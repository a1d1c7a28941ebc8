"""The hooks of a plugin. A plugin is a module that an entry point of the group `connector.plugins` names.

    from connector.hookspecs import hookimpl

    @hookimpl
    def register_actions(register):
        register(say_hello)

The name of the entry point is the plugin's name and stands before the dot in `greetings.say_hello`.
Hooks only declare: they are called once, in start-up, and do no work.
"""

from collections.abc import Callable

import pluggy

from connector.declare import Action, ConnectionType, Trigger

PROJECT = "chatforge-connector"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_actions(register: Callable[[Action], None]) -> None:
    """Call `register` with each action."""


@hookspec
def register_triggers(register: Callable[[Trigger], None]) -> None:
    """Call `register` with each trigger."""


@hookspec
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    """Call `register` with the kind of connection that the plugin's actions and triggers use; at most one."""
