"""The fixtures, as a stranger's tests use them."""

import subprocess
import sys

import pytest

LOAD = 'pytest_plugins = ["connector.testing"]\n'
TEST = """
import asyncio

def test_agents(chatforge_sandbox, chatforge_adapter):
    async def ask():
        async with chatforge_adapter as adapter:
            return await adapter.run("chatforge.list_agents", {})

    assert [agent["id"] for agent in asyncio.run(ask())["agents"]] == [chatforge_sandbox.agent_id]
"""


@pytest.mark.parametrize(
    ("conftest", "said"),
    [
        pytest.param(LOAD, "1 passed", id="loaded"),
        pytest.param("", "fixture 'chatforge_sandbox' not found", id="not loaded"),
    ],
)
def test_fixtures_are_there_where_the_plugin_is_loaded(tmp_path, conftest, said):
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_agents.py").write_text(TEST)
    command = [sys.executable, *"-m pytest -p no:cacheprovider -W error -q".split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert said in done.stdout
