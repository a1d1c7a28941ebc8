"""HTML that a flow writes out, with places for what visitors wrote. Only text between tags can be such a place, so that
nothing of it is read as HTML, as an address or as a script.
"""

import html
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from connector.errors import InputError
from connector.validation import replace_surrogates

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_RAW = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext", "svg")
"""Elements whose content browsers do not all read as text."""


class _Texts(HTMLParser):
    """Collects what stands between tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._raw = ""

    def handle_starttag(self, tag: str, _attributes: Any) -> None:
        self._raw = self._raw or (tag if tag in _RAW else "")

    def handle_startendtag(self, tag: str, attributes: Any) -> None:
        """Browsers do not close an element at `/>`."""
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        self._raw = "" if tag == self._raw else self._raw

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.found.append(data)


def find_fault(template: str) -> str | None:
    """Why an `html` of a flow cannot be used."""
    texts = _Texts()
    is_open = template.rfind("<") > template.rfind(">")  # html.parser looks for each end again and again
    if not is_open:
        texts.feed(template)
        texts.close()
    if is_open or any("<" in text for text in texts.found):
        return "html has a < that begins no tag, or a tag that is not closed; write &lt; for the character"
    safe = [name for text in texts.found for name in _PLACE.findall(text)]
    for name in _PLACE.findall(template):
        if name not in safe:
            return f"html has {{{name}}} inside a tag, a comment or an element such as style; it may stand in text only"
        safe.remove(name)
    return None


def fill(template: str, values: Mapping[str, str]) -> str:
    """The HTML with its values, escaped; their line breaks are kept. Raises InputError."""
    if fault := find_fault(template):
        raise InputError(fault)
    for name in values.keys() - {*_PLACE.findall(template)}:
        raise InputError(f"values has {name!r}, but html has no {{{name}}}")

    def write(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise InputError(f"html has {found[0]}, but values has no {found[1]!r}")
        lines = replace_surrogates(values[found[1]]).splitlines()
        return "<br>\n".join(html.escape(line) for line in lines)

    return _PLACE.sub(write, template)
