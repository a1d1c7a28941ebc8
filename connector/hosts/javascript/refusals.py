"""What the statuses of ChatForge mean, in the sentences of its plugin, for code that is not Python."""

from datetime import UTC, datetime

from pydantic import BaseModel

from connector.chatforge import wire
from connector.chatforge.wire import Answer
from connector.errors import ActionError, OutputError

_ANY_TIME = datetime(2026, 3, 25, tzinfo=UTC)
_NAMES = {"CHATFORGE_API_KEY": "the API key", "CHATFORGE_BASE_URL": "the base URL"}
"""What a setting of the environment is in a form."""
_JSON = b"{}"
_PAGE = b"<html></html>"


def read_refusals() -> dict[str, dict[str, str]]:
    """By status, or by `4xx` for those that mean the same: `what`, `step`, `code`.

    `when_reading` and `for_a_page` are the steps after a request that only read, and where a page answers, if they
    are others.
    """
    usual = {f"{group}xx": _refusal(100 * group + 99) for group in (3, 4, 5)}
    others = {str(status): _refusal(status) for status in range(300, 600)}
    return {status: found for status, found in others.items() if found != usual[f"{status[0]}xx"]} | usual


def read_not_json() -> dict[str, str]:
    """What to do where an answer should have been JSON: `step`, and `for_a_page`."""
    return {"step": _step_of_content(b""), "for_a_page": _step_of_content(_PAGE)}


def _refusal(status: int) -> dict[str, str]:
    what, step, code = _read(Answer(status, {}, _JSON))
    others = {
        "when_reading": _read(Answer(status, {}, _JSON, was_read=True))[1],
        "for_a_page": _read(Answer(status, {}, _PAGE))[1],
    }
    return {"what": what, "step": step, "code": code} | {name: text for name, text in others.items() if text != step}


def _read(answer: Answer) -> tuple[str, str, str]:
    try:
        wire.check_status(answer, _ANY_TIME)
    except ActionError as error:
        what, _, rest = _named(error).partition(" (")
        return what, rest.partition("); ")[2], type(error).__name__
    raise AssertionError(answer.status)


def _step_of_content(body: bytes) -> str:
    try:
        wire.read_answer(Answer(200, {}, body), _Nothing)
    except OutputError as error:
        return _named(error).rpartition("; ")[2]
    raise AssertionError(body)


class _Nothing(BaseModel):
    """Any object."""


def _named(error: Exception) -> str:
    text = str(error)
    for setting, name in _NAMES.items():
        text = text.replace(setting, name)
    return text
