"""Whether what an action declares about repeating is plausible."""

from collections.abc import Collection

from connector.declare import Keeping
from connector.testing.subject import Subject, fail

_READING = frozenset("check count download export fetch find get list look lookup query read search show".split())
_WRITING = frozenset(
    "add append assign cancel close create inject insert invite move open post publish put send set start stop submit "
    "update upload upsert write".split()
)
_REMOVING = frozenset("clear delete destroy drop erase purge remove".split())
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


async def require_plausible(subject: Subject, name: str, reading_by_post: Collection[str]) -> None:
    """By the verb of the name, by the HTTP methods that were seen, and, where idempotent, by repeating it."""
    effect = subject.action(name).effect
    _require_verb(subject.full(name), name, effect)
    async with subject.open() as adapter:
        keeping = Keeping()
        first = await subject.run_well(adapter, name, keeping=keeping)
        if effect == "read" and name not in reading_by_post:
            _require_safe(subject, name)
        if effect == "idempotent" and first != (second := await subject.run_well(adapter, name, keeping=keeping)):
            fail(
                f"{subject.full(name)} is declared idempotent, but with the same input and idempotency key it gave "
                f"{first!r:.200} and then {second!r:.200}; give the same output again, or declare it as once"
            )


def _require_verb(full: str, name: str, effect: str) -> None:
    words = name.split("_")
    verb = words[0]
    if "or" in words:  # get_or_create
        return
    if verb in _REMOVING and effect != "destructive":
        fail(f"{full} is declared as {effect}, but is named as if it removed something; declare it as destructive")
    if verb in _WRITING and effect == "read":
        fail(f"{full} is declared as read, but is named as if it changed something; declare what repeating it does")
    if verb in _READING and effect in ("once", "destructive"):
        fail(f"{full} is declared as {effect}, but is named as if it only read; declare it as read or rename it")


def _require_safe(subject: Subject, name: str) -> None:
    sent = [request.method for request in subject.gateway.requests] if subject.gateway else []
    if unsafe := [method for method in sent if method not in _SAFE]:
        fail(
            f"{subject.full(name)} is declared as read, but sent {unsafe[0]}; declare what repeating it does, "
            f"or, where the service reads by {unsafe[0]}, put {name!r} into `reading_by_post`"
        )
