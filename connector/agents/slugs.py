"""Names of folders, made of the names of agents, which may be anything."""

import itertools
import re
import unicodedata
from collections.abc import Collection

_LONGEST = 60
_WITHOUT_LETTERS = "agent"


def make_slug(name: str, taken: Collection[str]) -> str:
    """Lower-case letters of ASCII, digits and `-`; with a number where the name is `taken`, which ignores case."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].rstrip("-") or _WITHOUT_LETTERS
    known = {one.casefold() for one in taken}
    numbered = (f"{slug}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([slug], numbered) if one not in known)
