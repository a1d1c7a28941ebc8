"""`chatforge mcp` as the SDK's own client sees it, over both transports, with the sandbox behind it."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from mcp import Client, MCPError, StdioServerParameters, stdio_client

from connector.sandbox import Sandbox
from connector.sandbox.server import running

GREET = """\
flow: greet-visitor
description: Says hello to a visitor.
inputs:
  conversation: {type: str, description: The conversation's id.}
  name: {type: str, default: there}
steps:
- id: say
  uses: chatforge.inject_message
  with: {agent_id: "AGENT", conversation_id: "${{ inputs.conversation }}", content: "Hello ${{ inputs.name }}"}
outputs: {message: "${{ steps.say.message.id }}"}
"""

REST = """\
flow: rest
inputs: {}
steps:
- {id: pause, wait: 1h}
"""

HALF = """\
flow: half
inputs: {n: {type: number}}
steps:
- {id: end, stop: half}
outputs: {half: "${{ inputs.n / 2 }}"}
"""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as served:
        yield served


@dataclass
class Host:
    """The command in a folder with a flow, and a client for it over one transport."""

    sandbox: Sandbox
    folder: Path
    transport: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "CHATFORGE_API_KEY": self.sandbox.api_key,
            "CHATFORGE_BASE_URL": self.sandbox.url,
            "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
            "CHATFORGE_BUDGET_FILE": "budget.sqlite",
            **self.more,
        }

    def visit(self, **visitor: str) -> str:
        answer = httpx.post(f"{self.sandbox.control_url}/visitors", json={"webhook": False, **visitor})
        return str(answer.json()["conversation_id"])

    def do(self, work: Callable[[Client], Awaitable[Any]], *options: str) -> Any:
        """What `work` gives with a client of `chatforge mcp OPTIONS`."""
        if self.transport == "stdio":
            arguments = ["-m", "connector", "mcp", *options]
            server = StdioServerParameters(
                command=sys.executable, args=arguments, env=self.environment, cwd=self.folder
            )
            with open(self.folder / "log", "w") as log:
                return asyncio.run(_with(stdio_client(server, log), work))
        with self.listening(*options) as address:
            return asyncio.run(_with(address, work))

    @contextmanager
    def listening(self, *options: str) -> Iterator[str]:
        command = [sys.executable, "-m", "connector", "mcp", "--http", "--port", "0", *options]
        with open(self.folder / "log", "w") as log:
            server = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
            try:
                assert server.stdout
                found = re.search(r"http://\S+/mcp", server.stdout.readline())
                assert found, (self.folder / "log").read_text()
                yield found[0]
            finally:
                server.terminate()
                server.communicate(timeout=20)


async def _with(server: Any, work: Callable[[Client], Awaitable[Any]]) -> Any:
    """Errors of `work` as they are, not in the groups of the SDK's tasks."""
    caught = None
    async with Client(server) as client:
        try:
            return await work(client)
        except Exception as error:
            caught = error
    raise caught


@pytest.fixture(params=["stdio", "http"])
def host(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Host:
    flow = tmp_path / "flows" / "greet-visitor.yaml"
    flow.parent.mkdir()
    flow.write_text(GREET.replace("AGENT", sandbox.agent_id))
    return Host(sandbox, tmp_path, request.param)


def told(result: Any) -> str:
    [content] = result.content
    return str(content.text)


def test_each_action_is_a_tool_whose_output_fits_its_schema(host, built_in):
    conversation = host.visit(visitor_email="ann@example.com", visitor_name="Ann")
    known = {"agent_id": host.sandbox.agent_id, "conversation_id": conversation, "visitor_email": "ann@example.com"}
    actions = [action for name, action in built_in.actions.items() if name.startswith("chatforge.")]
    actions.sort(key=lambda action: action.effect == "destructive")

    async def work(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert [*tools] == [name.replace(".", "_") for name in built_in.actions if name.startswith("chatforge.")]
        for action in actions:
            tool = tools[action.name.replace(".", "_")]
            given = action.example | {name: value for name, value in known.items() if name in action.example}
            given.pop("captured_at", None)
            jsonschema.validate(given, tool.input_schema)
            result = await client.call_tool(tool.name, given)
            assert not result.is_error, told(result)
            jsonschema.validate(result.structured_content, tool.output_schema)
            assert json.loads(told(result)) == result.structured_content
            assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (
                action.effect == "read",
                action.effect == "destructive",
            )

    host.do(work)
    assert sum(host.sandbox.counters.by_action()["v1-message"].values()) == 1


@pytest.mark.parametrize("personal", [False, True])
def test_what_tells_about_visitors_is_shown_where_that_is_asked_for(host, personal):
    host.visit(visitor_email="ann@example.com", visitor_name="Ann", visitor_phone="4711")

    async def work(client: Client) -> None:
        found = await client.call_tool("chatforge_list_leads", {"agent_id": host.sandbox.agent_id})
        read = await client.read_resource(f"chatforge://agents/{host.sandbox.agent_id}/leads")
        for text in (told(found), read.contents[0].text):
            assert all((one in text) is personal for one in ("ann@example.com", "Ann", "4711")), text
            assert json.loads(text)["leads"][0]["id"]

    host.do(work, *(["--personal-data"] if personal else []))


@pytest.mark.parametrize("host", ["http"], indirect=True)
@pytest.mark.parametrize("personal", [False, True])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"body": {"leads": [{"id": "1", "visitor_name": ["Ann"]}]}}, "leads.0.visitor_name: input should be a valid"),
        ({"body": '{"leads": [{"visitor_name": "Ann', "style": "text"}, "expected JSON from ChatForge, got"),
        ({"body": "<title>Ann</title>", "style": "html"}, "got an HTML page"),
        ({"body": {"error": "Ann is no lead"}}, "ChatForge reports an error in an answer of status 200"),
    ],
    ids=["type", "cut", "page", "error"],
)
def test_error_quotes_an_answer_where_visitors_may_be_shown(host, personal, fault, words):
    ordered = {"action": "v1-leads", "times": 9, "status": 200, **fault}
    assert httpx.post(f"{host.sandbox.control_url}/faults", json=ordered).is_success

    async def work(client: Client) -> None:
        found = await client.call_tool("chatforge_list_leads", {"agent_id": host.sandbox.agent_id})
        assert found.is_error
        with pytest.raises(MCPError) as raised:
            await client.read_resource(f"chatforge://agents/{host.sandbox.agent_id}/leads")
        for text in (told(found), str(raised.value)):
            assert words in text
            assert ("Ann" in text) is personal

    host.do(work, *(["--personal-data"] if personal else []))


def test_half_a_character_of_a_visitor_arrives_as_a_replacement(host):
    visitor = json.dumps({"webhook": False, "visitor_email": "ann@example.com", "visitor_name": "Ann \ud83d"})
    assert httpx.post(f"{host.sandbox.control_url}/visitors", content=visitor).is_success

    async def work(client: Client) -> None:
        found = await client.call_tool("chatforge_list_leads", {"agent_id": host.sandbox.agent_id})
        assert found.structured_content["leads"][0]["visitor_name"] == "Ann \N{REPLACEMENT CHARACTER}"
        assert json.loads(told(found)) == found.structured_content
        read = await client.read_resource(f"chatforge://agents/{host.sandbox.agent_id}/leads")
        assert json.loads(read.contents[0].text) == found.structured_content

    host.do(work, "--personal-data")


def test_flow_with_inputs_is_a_tool_and_its_run_a_resource(host):
    conversation = host.visit(visitor_name="Ann")

    async def work(client: Client) -> None:
        tool = (await client.list_tools()).tools[-1]
        assert (tool.name, tool.description) == ("flow_greet-visitor", "Says hello to a visitor.")
        assert tool.input_schema["properties"]["name"] == {"type": "string", "default": "there"}
        assert tool.input_schema["required"] == ["conversation"]
        wrong = await client.call_tool(tool.name, {"conversation": 1})
        assert wrong.is_error
        assert "the inputs of greet-visitor do not fit: conversation" in told(wrong)
        done = (await client.call_tool(tool.name, {"conversation": conversation, "name": "Ann"})).structured_content
        jsonschema.validate(done, tool.output_schema)
        assert (done["status"], done["why"]) == ("succeeded", None)
        assert [*done["outputs"]] == ["message"]
        runs = json.loads((await client.read_resource("chatforge://runs")).contents[0].text)
        assert [run["run"] for run in runs] == [done["run"]]
        shown = json.loads((await client.read_resource(f"chatforge://runs/{done['run']}")).contents[0].text)
        assert shown["steps"] == [{"step": "say", "status": "succeeded", "action": "chatforge.inject_message"}]
        both = await asyncio.gather(*(client.call_tool(tool.name, {"conversation": conversation}) for _ in range(2)))
        assert [one.structured_content["status"] for one in both] == ["succeeded"] * 2

    host.do(work, "--flows", "flows", "--personal-data")
    texts = [message.content for message in host.sandbox.find_conversation(conversation)[1].messages]
    assert [text for text in texts if text.startswith("Hello")] == ["Hello Ann", "Hello there", "Hello there"]


def test_runs_that_wait_keep_nothing_from_others_and_not_the_server_from_its_end(host):
    (host.folder / "flows" / "rest.yaml").write_text(REST)
    conversation = host.visit(visitor_name="Ann")

    async def work(client: Client) -> None:
        waiting = [asyncio.create_task(client.call_tool("flow_rest", {})) for _ in range(9)]
        async with asyncio.timeout(30):
            done = await client.call_tool("flow_greet-visitor", {"conversation": conversation})
            assert done.structured_content["status"] == "succeeded"
            assert not (await client.call_tool("chatforge_list_agents", {})).is_error
            runs = json.loads((await client.read_resource("chatforge://runs")).contents[0].text)
        assert sorted(run["status"] for run in runs) == ["succeeded", *["waiting"] * len(waiting)]
        command = [sys.executable, "-m", "connector", "run", "flows/greet-visitor.yaml"]
        command += ["--set", f"conversation={conversation}"]
        beside = await asyncio.to_thread(
            subprocess.run, command, cwd=host.folder, env=host.environment, stdout=subprocess.DEVNULL, timeout=20
        )
        assert beside.returncode == 0
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    began = time.monotonic()
    host.do(work, "--flows", "flows")
    assert time.monotonic() - began < 40


@pytest.mark.parametrize("host", ["http"], indirect=True)
def test_run_that_asks_a_person_says_so_at_once(host):
    asks = "flow: ask\ninputs: {}\nsteps:\n  - id: sure\n    approve: {title: May it go on?}\n"
    (host.folder / "flows" / "ask.yaml").write_text(asks)

    async def work(client: Client) -> Any:
        async with asyncio.timeout(20):
            return (await client.call_tool("flow_ask", {})).structured_content

    done = host.do(work, "--flows", "flows")
    assert (done["status"], done["why"].partition(";")[0]) == ("waiting", "sure waits for an approval")


@pytest.mark.parametrize("host", ["http"], indirect=True)
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "the step say failed: not_found"),
        (["--personal-data"], "not found at ChatForge (404: \"conversation 'Ann'"),
    ],
)
def test_run_that_fails_says_why_without_quoting_what_somebody_wrote(host, options, why):
    async def work(client: Client) -> Any:
        return (await client.call_tool("flow_greet-visitor", {"conversation": "Ann"})).structured_content

    found = host.do(work, "--flows", "flows", *options)
    assert found["status"] == "failed"
    assert found["why"].startswith(why)
    assert ("Ann" in found["why"]) is bool(options)


STOP = """\
flow: NAME
inputs:
  who: {type: str}
steps:
- id: end
  stop: "NAME ends for ${{ inputs.who }}"
"""


@pytest.mark.parametrize("host", ["http"], indirect=True)
@pytest.mark.parametrize("personal", [False, True])
def test_reason_of_a_stop_is_shown_where_what_somebody_wrote_may_be(host, personal):
    (host.folder / "flows" / "end.yaml").write_text(STOP.replace("NAME", "end"))

    async def work(client: Client) -> Any:
        return (await client.call_tool("flow_end", {"who": "Ann"})).structured_content

    found = host.do(work, "--flows", "flows", *(["--personal-data"] if personal else []))
    assert (found["status"], found["why"]) == ("succeeded", "end ends for Ann" if personal else None)


@pytest.mark.parametrize("host", ["http"], indirect=True)
def test_flows_with_long_names_are_tools_of_their_own(host):
    names = [f"{'long-' * 12}{end}" for end in "ab"]
    for name in names:
        (host.folder / "flows" / f"{name}.yaml").write_text(STOP.replace("NAME", name))

    async def work(client: Client) -> list[str]:
        tools = {tool.title: tool.name for tool in (await client.list_tools()).tools}
        assert all(len(tools[name]) == 64 for name in names)
        done = [await client.call_tool(tools[name], {"who": "Ann"}) for name in names]
        return [one.structured_content["why"] for one in done]

    assert host.do(work, "--flows", "flows", "--personal-data") == [f"{name} ends for Ann" for name in names]


@pytest.mark.parametrize("host", ["stdio"], indirect=True)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, "set CHATFORGE_API_KEY to a key from the ChatForge Dashboard"),
        ({"status": 429, "headers": {"Retry-After": "7"}}, "ChatForge takes 100 a minute"),
        ({"status": 200, "style": "html"}, "expected JSON from ChatForge, got an HTML page"),
        (None, "not found at ChatForge (404"),
    ],
    ids=["wrong key", "429", "page", "missing agent"],
)
def test_error_is_an_error_of_the_tool_with_what_to_do(host, fault, words):
    if fault:
        answer = httpx.post(f"{host.sandbox.control_url}/faults", json={"action": "v1-agent", "times": 9, **fault})
        assert answer.status_code == 201, answer.text

    async def work(client: Client) -> Any:
        return await client.call_tool("chatforge_get_agent", {"agent_id": "gone"})

    result = host.do(work)
    assert result.is_error
    assert words in told(result)
    assert host.sandbox.api_key not in told(result) + (host.folder / "log").read_text()


@pytest.mark.parametrize("host", ["http"], indirect=True)
@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda client: client.call_tool("nothing", {}), "there is no tool 'nothing'"),
        (lambda client: client.read_resource("chatforge://nothing"), "there is no resource 'chatforge://nothing'"),
        (lambda client: client.read_resource("chatforge://agents/gone"), "not found at ChatForge"),
        (lambda client: client.read_resource("chatforge://agents/a%20b"), "agent 'a b' not found"),
    ],
)
def test_what_is_not_there_is_an_error_of_the_protocol(host, ask, words):
    with pytest.raises(MCPError, match=words):
        host.do(ask)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999"])
def test_number_that_is_none_of_json_starts_no_flow(tmp_path, sandbox, text):
    host = Host(sandbox, tmp_path, "http")
    (tmp_path / "half.yaml").write_text(HALF)
    call = '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "flow_half", "arguments": {"n": N}}}'
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    with host.listening("--flows", "half.yaml") as address:
        result = httpx.post(address, content=call.replace("N}", f"{text}}}"), headers=headers).json()["result"]
    assert result["isError"]
    assert "the inputs of half do not fit: NaN, Infinity" in result["content"][0]["text"]


@pytest.mark.parametrize("host", ["http"], indirect=True)
def test_before_the_first_run_there_are_none(host):
    async def work(client: Client) -> None:
        assert json.loads((await client.read_resource("chatforge://runs")).contents[0].text) == []
        with pytest.raises(MCPError, match="there is no run 'run_1'"):
            await client.read_resource("chatforge://runs/run_1")

    host.do(work)


def test_address_of_ipv6_is_in_brackets(tmp_path, sandbox):
    with Host(sandbox, tmp_path, "http").listening("--host", "::1") as address:
        assert re.fullmatch(r"http://\[::1\]:\d+/mcp", address)


def test_other_machines_need_a_token(tmp_path, sandbox):
    host = Host(sandbox, tmp_path, "http")
    command = [sys.executable, "-m", "connector", "mcp", "--http", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, env=host.environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "set CHATFORGE_MCP_TOKEN" in done.stderr
    host.more["CHATFORGE_MCP_TOKEN"] = "a-long-random-text"
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"}
    with host.listening() as address:
        refused = [httpx.post(address, json=body, headers=headers | more) for more in ({}, {"Authorization": "Bearer"})]
        taken = httpx.post(address, json=body, headers=headers | {"Authorization": "Bearer a-long-random-text"})
    assert [answer.status_code for answer in refused] == [401, 401]
    assert taken.status_code != 401
