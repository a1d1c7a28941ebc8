"""Whether a stored text mentions an e-mail address, however often it was escaped on its way there."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_plus

_ESCAPE = re.compile(r"(?<!\\)\\+(?:u([0-9a-fA-F]{4})|([nrtbf\"/]))")
_ADDRESS = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+")
_WITHIN = r"[\w.+-]"
"""Of these an address may go on: ann@example.com is not within joann@example.com."""
_LONGEST = 320
"""Characters of an address, by RFC 3696."""


@dataclass(frozen=True, slots=True)
class Address:
    """An e-mail address; upper and lower case are alike."""

    text: str
    pattern: re.Pattern[str]
    like: str
    """A pattern for LIKE that the lower-case form of whatever mentions the address fits, and little else."""

    def is_in(self, text: str) -> bool:
        """Whether the text has it, as it is or within JSON and URLs."""
        plain = _unescape(text).casefold()
        return self.pattern.search(plain) is not None or (
            "%" in plain and self.pattern.search(unquote_plus(plain).casefold()) is not None
        )


def read_address(text: str) -> Address | None:
    """The address; None where the text is none."""
    address = text.strip().casefold()
    if len(address) > _LONGEST or not _ADDRESS.fullmatch(address):
        return None
    pattern = re.compile(rf"(?<!{_WITHIN}){re.escape(address)}(?![\w-]|\.\w)")
    return Address(address, pattern, _find_like(text.strip().lower()))


def _find_like(address: str) -> str:
    """The longest runs of letters and digits before and behind the @, which no escape changes.

    Of the address in lower case, as databases have it, in which ß stays what it is.
    """
    runs = [max(re.findall("[a-z0-9]+", part), key=len, default="") for part in address.split("@")]
    return f"%{'%'.join(run for run in runs if run)}%"


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return match[2] if match[2] in '"/' else " "
