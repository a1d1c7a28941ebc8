"""The contract suite on the sample plugin: clean as it is, and each planted fault fails the check that is for it."""

import re

import pytest

BOTH_ACTIONS = ("list_cards", "send_card")
WRONG_SCHEMA = 'WrongSchema = __import__("typing").Annotated[int | None, WithJsonSchema({"type": "string"})]'
LOOK_AWAY = """await context.http.post("cards", json=input.model_dump())
    return Card(id="1", to="Ann", text="", sent_at=context.now)"""
PAGE_WITH = "return CardPage(cards=page.cards, next_offset=None if page.next_offset is None else {})"


def failed(result) -> set[str]:
    return set(re.findall(r"^FAILED tests/test_greetings\.py::TestGreetings::test_(\S+)", result.out, re.MULTILINE))


def test_sample_plugin_keeps_the_contract(run_contract):
    result = run_contract()
    assert result.code == 0, result.out
    assert result.out.splitlines()[-1].startswith("18 passed in ")


@pytest.mark.parametrize(
    ("changes", "test", "expected", "sentence"),
    [
        pytest.param(
            [('name="card_opened"', 'name="opened"')],
            [],
            {"names_are_stable"},
            "greetings.card_opened is gone, and flows that name it no longer run; bring it back",
            id="a name that goes",
        ),
        pytest.param(
            [],
            [('"new_card", "card_opened"', '"new_card"')],
            {"names_are_stable"},
            "greetings.card_opened is new; add it to `names`",
            id="a name that comes",
        ),
        pytest.param(
            [('title="Card opened"', 'title="New card"')],
            [],
            {"operations_are_told_apart"},
            "2 triggers of greetings have the title 'New card'; give each its own",
            id="equal titles",
        ),
        pytest.param(
            [(', example={"to": "Ann", "text": "Good morning!"}', "")],
            [('return {"new', 'return {"send_card": {"to": "Ann", "text": "Hello"}, "new')],
            {"example_is_valid[send_card]"},
            "the example of greetings.send_card does not fit its input: to is missing; text is missing",
            id="example that is missing",
        ),
        pytest.param(
            [("offset: int = Field(0, ge=0)", "offset: int"), ('{"limit": 10}', '{"offset": 0}')],
            [],
            {"connection_can_be_tested"},
            "greetings.list_cards failed against the double: the input of greetings.list_cards does not fit",
            id="test of the connection that needs an input",
        ),
        pytest.param(
            [
                ("import AwareDatetime,", "import WithJsonSchema, AwareDatetime,"),
                ("next_offset: int | None =", "next_offset: WrongSchema ="),
                (
                    "class CardPage",
                    f"{WRONG_SCHEMA}\n\n\nclass CardPage",
                ),
            ],
            [],
            {"output_fits_its_schema[list_cards]"},
            "the output of greetings.list_cards does not fit its JSON Schema at $.next_offset",
            id="output that its schema denies",
        ),
        pytest.param(
            [('effect="once"', 'effect="read"')],
            [],
            {"effect_is_plausible[send_card]"},
            "greetings.send_card is declared as read, but is named as if it changed something",
            id="verb that writes",
        ),
        pytest.param(
            [("send_card", "remove_card")],
            [("send_card", "remove_card")],
            {"effect_is_plausible[remove_card]"},
            "greetings.remove_card is declared as once, but is named as if it removed something",
            id="verb that removes",
        ),
        pytest.param(
            [
                (
                    '    """List the cards that were sent, oldest first."""',
                    '    """List the cards that were sent, oldest first."""\n    await context.http.put("cards")',
                )
            ],
            [],
            {"effect_is_plausible[list_cards]"},
            "greetings.list_cards is declared as read, but sent PUT",
            id="method that writes",
        ),
        pytest.param(
            [('effect="once"', 'effect="idempotent"')],
            [],
            {"effect_is_plausible[send_card]"},
            "greetings.send_card is declared idempotent, but with the same input and idempotency key it gave",
            id="idempotent that is not",
        ),
        pytest.param(
            [("    404: (NotFoundError", "    410: (NotFoundError")],
            [],
            {f"errors_are_mapped[{name}]" for name in BOTH_ACTIONS},
            "greetings.send_card: status 404 was raised as kind 'rejected'",
            id="status that is not mapped",
        ),
        pytest.param(
            [('ServerError(message, processed="unknown", ', "ServerError(message, ")],
            [],
            {f"errors_are_mapped[{name}]" for name in BOTH_ACTIONS},
            "greetings.send_card: status 500 was raised with processed 'no', but that answer leaves open "
            "whether it has acted; say processed='unknown'",
            id="5xx that claims nothing happened",
        ),
        pytest.param(
            [("transient=status == 429", "transient=False")],
            [],
            {f"errors_are_mapped[{name}]" for name in BOTH_ACTIONS},
            "status 429 with Retry-After: 7 was raised with transient False; say transient=True",
            id="429 that never passes",
        ),
        pytest.param(
            [('seconds = answer.headers.get("retry-after", "")', 'seconds = ""')],
            [],
            {f"errors_are_mapped[{name}]" for name in BOTH_ACTIONS},
            "status 429 with Retry-After: 7 was raised with retry_after None; say retry_after=7",
            id="Retry-After that is not read",
        ),
        pytest.param(
            [('f"the card service failed', 'f"the card service failed\\n')],
            [],
            {f"errors_are_mapped[{name}]" for name in BOTH_ACTIONS},
            "write one line that says what to do",
            id="message of two lines",
        ),
        pytest.param(
            [
                (
                    "return await ask(context.http, Card,",
                    f"{LOOK_AWAY}\n    return await ask(context.http, Card,",
                )
            ],
            [],
            {"errors_are_mapped[send_card]"},
            "greetings.send_card: status 401 was taken as a success; raise an error of kind 'authentication'",
            id="answer that is not looked at",
        ),
        pytest.param(
            [("key: Secret", "key: str"), ("account.key.get_secret_value()", "account.key")],
            [('"key": secret', '"key": secret.get_secret_value()')],
            {f"secret_stays_inside[{name}]" for name in BOTH_ACTIONS},
            "the secret of the connection, or a part of it, is in the repr of the connection",
            id="secret that is a plain text",
        ),
        pytest.param(
            [
                (
                    '    """Send a greeting card."""',
                    '    """Send a greeting card."""\n    context.log.debug("sending %s", dict(context.http.headers))',
                )
            ],
            [],
            {"secret_stays_inside[send_card]"},
            "is in what was logged or printed, when all is well",
            id="headers in the log",
        ),
        pytest.param(
            [('f"{reason} ({status})"', 'f"{reason} ({status}): {answer.text[:60]!r}"')],
            [],
            {f"secret_stays_inside[{name}]" for name in BOTH_ACTIONS},
            "other characters in its refusal",
            id="text that is cut through the secret",
        ),
        pytest.param(
            [
                ("return await ask(context.http, CardPage,", "page = await ask(context.http, CardPage,"),
                (
                    "params=input.model_dump())",
                    f"params=input.model_dump())\n    {PAGE_WITH.format('input.offset + input.limit')}",
                ),
            ],
            [],
            {"pages_are_complete[list_cards]"},
            "greetings.list_cards with limit 3 brought 5 of 7 records before next_offset was null",
            id="offset counted by the limit",
        ),
        pytest.param(
            [
                ("return await ask(context.http, CardPage,", "page = await ask(context.http, CardPage,"),
                (
                    "params=input.model_dump())",
                    f"params=input.model_dump())\n    {PAGE_WITH.format('1')}",
                ),
            ],
            [],
            {"pages_are_complete[list_cards]"},
            "greetings.list_cards with limit 1 does not come to an end; next_offset must be null at the end",
            id="pages without end",
        ),
        pytest.param(
            [("sample=read_card(CARD)", 'sample=Event("cards", "card-1", None, CARD, "poll")')],
            [],
            {"sample_is_wanted[new_card]"},
            "greetings.new_card does not want the event 'card-1' (cards)",
            id="sample that is not wanted",
        ),
        pytest.param(
            [("sample=read_card(CARD)", 'sample=Event("card", "card-1", None, CARD, "webhook")')],
            [],
            {"sample_is_wanted[new_card]"},
            "the sample of greetings.new_card comes by 'webhook', not by one of its sources",
            id="sample of another source",
        ),
        pytest.param(
            [('seen += len(page["cards"])', "seen += 50")],
            [],
            {"poll_is_complete[new_card]"},
            "greetings.new_card found 2 of 7 records",
            id="poll that skips",
        ),
        pytest.param(
            [
                (
                    'PollStep(events, {"seen": seen, "known": False}, None)',
                    'PollStep(events, {"seen": 0, "known": False}, None)',
                )
            ],
            [],
            {"poll_is_complete[new_card]"},
            "greetings.new_card found 'card-1' again in its second round",
            id="poll that forgets",
        ),
        pytest.param(
            [('Event("card", card["id"], ', 'Event("card", card["text"], ')],
            [],
            {"poll_is_complete[new_card]"},
            "greetings.new_card found the identity 'Good morning!' twice",
            id="identity that is not one",
        ),
        pytest.param(
            [('"known": known}, Poll', '"known": known, "at": _now}, Poll')],
            [],
            {"poll_is_complete[new_card]"},
            "which does not survive JSON",
            id="state that is no JSON",
        ),
        pytest.param(
            [
                ('"known": known}, Poll', '"known": known, "n": next(NUMBERS)}, Poll'),
                ("def poll_cards", "NUMBERS = iter(range(10_000))\n\n\ndef poll_cards"),
            ],
            [],
            {"poll_is_complete[new_card]"},
            "the poll of greetings.new_card made two steps of the same state and page",
            id="poll that is not pure",
        ),
        pytest.param(
            [("if not any(fits):", 'if headers.get("x-cards-signature") and not any(fits):')],
            [],
            {"forged_delivery_is_refused"},
            "greetings takes the unsigned body b''; verify its signature",
            id="signature that may be missing",
        ),
        pytest.param(
            [('.get("x-cards-signature", "")', '["x-cards-signature"]')],
            [],
            {"forged_delivery_is_refused"},
            "greetings fails on the unsigned body b'': KeyError; raise a WebhookError with status 401",
            id="verify that fails",
        ),
    ],
)
def test_planted_fault_fails_the_check_that_is_for_it(run_contract, changes, test, expected, sentence):
    result = run_contract(*changes, test=test)
    assert failed(result) == expected, result.out
    assert sentence in result.out
    assert "Traceback" not in result.out
