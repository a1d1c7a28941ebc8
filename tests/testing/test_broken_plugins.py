"""A broken plugin stops the command with one sentence that names the plugin and the fault."""

import json

import pytest

FIELDS = 'ConfigDict(extra="forbid")\n\n    to: str'
ARBITRARY = 'ConfigDict(extra="forbid", arbitrary_types_allowed=True)\n\n    to: httpx.URL'


def require_one_sentence(result, start: str) -> None:
    assert (result.code, result.out) == (1, "")
    assert result.error.startswith(f"error: plugin 'greetings' cannot be loaded: {start}")
    assert result.error.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(
            FIELDS,
            ARBITRARY,
            "greetings.send_card has no JSON Schema: PydanticInvalidForJsonSchema: Cannot generate",
            id="field without JSON Schema",
        ),
        pytest.param(
            "    to: str\n    text: str\n\n\nclass Card(",
            "    to: str\n    text: httpx.URL\n\n\nclass Card(",
            "importing 'greetings' failed: PydanticSchemaGenerationError: ",
            id="field of a type that pydantic does not know",
        ),
        pytest.param(
            "in (send_card, list_cards)",
            "in (send_card, list_cards, send_card)",
            "greetings.send_card is declared twice",
            id="same name twice",
        ),
        pytest.param(
            "def register_actions",
            "def register_acton",
            "there is no hook 'register_acton'; did you mean 'register_actions'?",
            id="unknown hook",
        ),
        pytest.param(
            "import hmac",
            "import hmacs",
            "importing 'greetings' failed: ModuleNotFoundError: No module named 'hmacs'",
            id="import",
        ),
        pytest.param(
            "CARD = {", "raise SystemExit(3)\nCARD = {", "importing 'greetings' failed: SystemExit", id="exit"
        ),
        pytest.param(
            "CARD = {",
            "raise KeyboardInterrupt\nCARD = {",
            "importing 'greetings' failed: KeyboardInterrupt",
            id="interrupt",
        ),
        pytest.param(
            'title="Send card"',
            "title=5",
            "the action 'send_card' is wrong: title: input should be a valid string, not 5",
            id="title that is no text",
        ),
        pytest.param(
            "def register_actions",
            "async def register_actions",
            "register_actions is async; write it with def",
            id="async hook",
        ),
        pytest.param(
            'example={"to": "Ann"',
            'example={"for": "Ann"',
            "the example of greetings.send_card does not fit its input: to is missing; for is not known here",
            id="example",
        ),
        pytest.param(
            "    poll=poll_cards,\n",
            "",
            "greetings.new_card has sources ('poll',); 'poll' goes with a poll function",
            id="polled trigger without poll",
        ),
        pytest.param(
            "    webhook=Webhook(verify",
            "    # webhook=Webhook(verify",
            "greetings.card_opened takes webhooks, but the plugin's connection has no Webhook",
            id="webhook trigger without webhook",
        ),
        pytest.param(
            'test="list_cards"',
            'test="send_card"',
            "the test of its connection, 'send_card', is no read action of it",
            id="test of the connection that writes",
        ),
    ],
)
def test_broken_plugin_stops_the_command_with_one_sentence(install_changed, old, new, reason):
    require_one_sentence(install_changed((old, new)).chatforge("check", "flow.yaml"), reason)


def test_two_packages_with_a_plugin_of_one_name_stop_the_command(install_changed, add_package):
    installed = install_changed()
    add_package(installed, name="other_greetings", point="greetings")
    result = installed.chatforge("check", "flow.yaml")
    require_one_sentence(result, "two installed packages have a plugin of this name, '")


def test_plugin_that_prints_leaves_the_json_of_a_command_whole(install_changed):
    result = install_changed(("CARD = {", "print('hello')\nCARD = {")).chatforge("list", "--json")
    assert (result.code, result.error) == (0, "hello\n")
    assert "greetings.send_card" in json.dumps(json.loads(result.out))
