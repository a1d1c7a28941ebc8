"""For the tests of plugins: a contract suite, and a ChatForge to run against. Needs pytest and jsonschema.

The suite is a class to derive from; docs/plugins.md shows how. The fixtures `chatforge_sandbox` and
`chatforge_adapter` are there where a conftest says `pytest_plugins = ["connector.testing"]`.

PYTEST_DONT_REWRITE: the suite speaks in sentences, and a test module may have imported it before pytest does.
"""

from connector.testing.contract import PluginContract
from connector.testing.fixtures import chatforge_adapter, chatforge_sandbox
from connector.testing.subject import Service

__all__ = ["PluginContract", "Service", "chatforge_adapter", "chatforge_sandbox"]
