"""The README shows what the commands print."""

import re
import shlex
from pathlib import Path

import pytest

from connector.runs.flow_tests.reading import CASE_KEYS, ERROR_KEYS, EXPECT_KEYS, RUN_WORDS, STEP_KEYS, STEP_WORDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(command: str) -> str:
    """What the README shows below `$ command`."""
    found = re.search(rf"```console\n\$ {re.escape(command)}\n(.*?)```", README, re.DOTALL)
    assert found, command
    return found[1]


def without_chance(text: str) -> str:
    """Without ports, ids and times, which differ from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"contact_[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]+", "ID", text)
    return re.sub(r"\+ *\d+\.\d\d s", "+TIME", text)


def test_demo_prints_what_the_readme_shows(chatforge):
    result = chatforge("demo")
    assert result.code == 0, result.error
    assert without_chance(result.out) == without_chance(block("make demo"))


def test_check_prints_what_the_readme_shows(chatforge, flow, tmp_path):
    path = tmp_path / flow
    path.write_text(path.read_text().replace("contact.created", "contact.creatd"))
    assert chatforge("check", flow).out == block("chatforge check leads.yaml")


def test_call_prints_what_the_readme_shows(chatforge, sandbox):
    result = chatforge(
        "call", "chatforge.list_agents", CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY=sandbox.api_key
    )
    moment = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z")
    assert moment.sub("TIME", result.out) == moment.sub("TIME", block("chatforge call chatforge.list_agents"))


def test_flow_is_the_one_that_the_demo_runs():
    assert f"```yaml\n{(ROOT / 'docs/flows/lead-to-crm.yaml').read_text()}```" in README


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"CHATFORGE_[A-Z_]+", (ROOT / "connector/settings.py").read_text())))
)
def test_each_setting_is_in_the_readme(name):
    assert f"`{name}`" in README


def test_init_and_test_print_what_the_readme_shows(chatforge):
    for command in ("init lead-to-crm", "test flows/lead-to-crm.test.yaml"):
        assert chatforge(*command.split()).out == block(f"chatforge {command}")


def test_test_of_the_page_passes(chatforge, tmp_path):
    page = (ROOT / "docs" / "trying-flows.md").read_text()
    chatforge("init", "lead-to-crm")
    (tmp_path / "flows" / "lead-to-crm.test.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    result = chatforge("test")
    assert (result.code, result.error) == (0, "")


@pytest.mark.parametrize("key", sorted({*CASE_KEYS, *EXPECT_KEYS, *STEP_KEYS, *ERROR_KEYS, *RUN_WORDS, *STEP_WORDS}))
def test_each_word_of_a_test_file_is_on_the_page(key):
    page = (ROOT / "docs" / "trying-flows.md").read_text()
    assert re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", page)


PAGE_COMMANDS = re.findall(r"^\$ chatforge (run .*)$", (ROOT / "docs" / "trying-flows.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("option", ["--set", "--input", "--pin"])
def test_command_of_the_page_does_what_it_is_shown_for(chatforge, option):
    chatforge("init", "lead-to-crm")
    [command] = [shlex.split(one) for one in PAGE_COMMANDS if option in one]
    result = chatforge(*command)
    assert (result.code, result.error) == (0, "")
    assert "ann@example.com" in result.out
