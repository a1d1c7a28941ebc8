"""What the ChatForge plugin registers."""

from collections.abc import Callable

from connector.chatforge import actions, triggers
from connector.chatforge.analytics.action import analytics_change
from connector.chatforge.connection import CONNECTION
from connector.declare import Action, ConnectionType, Trigger
from connector.hookspecs import hookimpl


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(CONNECTION)


@hookimpl
def register_actions(register: Callable[[Action], None]) -> None:
    for declared in (
        actions.list_agents,
        actions.create_agent,
        actions.get_agent,
        actions.update_agent,
        actions.upsert_agent,
        actions.delete_agent,
        actions.list_conversations,
        actions.find_conversation,
        actions.list_leads,
        actions.find_lead,
        actions.get_analytics,
        analytics_change,
        actions.inject_message,
    ):
        register(declared)


@hookimpl
def register_triggers(register: Callable[[Trigger], None]) -> None:
    for declared in (
        triggers.EVENT,
        triggers.LEAD,
        triggers.NEW_LEAD,
        triggers.NEW_CONVERSATION,
        triggers.CONVERSATION_CHANGED,
    ):
        register(declared)
