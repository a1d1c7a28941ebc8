"""What has changed between two manifests, and which version number that needs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.manifest.document import ManifestError
from connector.manifest.keywords import Kind
from connector.manifest.schemas import differences

_RANKS: dict[Kind, int] = {"breaking": 0, "addition": 1, "wording": 2}
_VERSION = re.compile(r"([0-9]+)\.([0-9]+)\.([0-9]+)(?:[-.+a-z].*)?")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. Breaking: what uses the old version may fail with the new one."""

    kind: Kind
    where: str
    """`chatforge.inject_message input.content`"""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """All changes, the worst first."""
    found = {*_heads(old, new), *_connections(old["connections"], new["connections"])}
    found |= {*_triggers(old["triggers"], new["triggers"]), *_actions(old["actions"], new["actions"])}
    return sorted(found, key=lambda change: (_RANKS[change.kind], change.where, change.what))


def needed_version(old: str, changes: Sequence[Change]) -> str:
    """The lowest version that may follow `old` with these changes, by semantic versioning.

    Below 1.0.0 a breaking change raises the minor number, and every other one the patch number.
    Raises ManifestError where `old` is no X.Y.Z.
    """
    major, minor, patch = _numbers(old)
    if not changes:
        return f"{major}.{minor}.{patch}"
    # Sorted: the first is the worst.
    raised = _RANKS[changes[0].kind] + (1 if major == 0 else 0)
    if raised == 0:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if raised == 1 else f"{major}.{minor}.{patch + 1}"


def suffices(version: str, needed: str) -> bool:
    """Whether `version` is `needed` or higher; what stands behind X.Y.Z does not count."""
    return _numbers(version) >= _numbers(needed)


def _numbers(version: str) -> tuple[int, int, int]:
    if not (match := _VERSION.fullmatch(version)):
        raise ManifestError(f"the version is {version!r}: expected X.Y.Z, such as 0.1.0")
    return int(match[1]), int(match[2]), int(match[3])


def _heads(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in ("contract", "adapter", "blocking_adapter", "entry_points"):
        if old[key] != new[key]:
            yield Change("breaking", key, f"is now {new[key]}, was {old[key]}")


def _connections(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _come_and_go("connection ", old, new)
    for name in old.keys() & new.keys():
        where, before, after = f"connection {name}", old[name], new[name]
        yield from _changed_schema(where, "fields", before, after, given=True)
        yield from _offer(where, "webhook", before, after, then="breaking")
        yield from _offer(where, "test", before, after, then="wording")
        yield from _wording(where, before, after, "title", "help", "help_url", "rate_limit")


def _offer(where: str, key: str, old: Mapping[str, Any], new: Mapping[str, Any], *, then: Kind) -> Iterator[Change]:
    """Something that a connection may have; `then` is what another value is."""
    if old.get(key) == new.get(key):
        return
    if key not in new:
        yield Change("breaking", f"{where} {key}", "is gone")
    else:
        yield Change("addition" if key not in old else then, f"{where} {key}", "changed" if key in old else "is new")


def _triggers(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    yield from _come_and_go("", before, after)
    for name in before.keys() & after.keys():
        (group, was), (other, now) = before[name], after[name]
        if group != other:
            yield Change("breaking", name, f"is now {other}, was {group}")
        for source in {*was["sources"], *now["sources"]}:
            if source not in now["sources"]:
                yield Change("breaking", f"{name} sources", f"{source} is gone")
            elif source not in was["sources"]:
                yield Change("addition", f"{name} sources", f"{source} is new")
        if group == other and was.get("joins") != now.get("joins"):
            parts = [", ".join(part.get("joins", ())) for part in (now, was)]
            yield Change("breaking", f"{name} joins", f"is now {parts[0]}, was {parts[1]}")
        yield from _changed_schemas(name, was, now)
        yield from _wording(name, was, now, "title", "description", "needs", "sample")


def _by_name(groups: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    return {name: (group, trigger) for group, triggers in groups.items() for name, trigger in triggers.items()}


def _actions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _come_and_go("", old, new)
    for name in old.keys() & new.keys():
        was, now = old[name], new[name]
        if was["effect"] != now["effect"]:
            yield Change("breaking", f"{name} effect", f"is now {now['effect']}, was {was['effect']}")
        yield from _changed_schemas(name, was, now)
        yield from _wording(name, was, now, "title", "description", "example")


def _come_and_go(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in old.keys() - new.keys():
        yield Change("breaking", prefix + name, "is gone")
    for name in new.keys() - old.keys():
        yield Change("addition", prefix + name, "is new")


def _changed_schemas(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _changed_schema(where, "input", old, new, given=True)
    yield from _changed_schema(where, "output", old, new, given=False)


def _changed_schema(
    where: str, key: str, old: Mapping[str, Any], new: Mapping[str, Any], *, given: bool
) -> Iterator[Change]:
    for kind, path, what in differences(key, old[key], new[key], given=given):
        yield Change(kind, f"{where} {path}", what)


def _wording(where: str, old: Mapping[str, Any], new: Mapping[str, Any], *keys: str) -> Iterator[Change]:
    changed = [key for key in keys if old.get(key) != new.get(key)]
    if changed:
        yield Change("wording", where, f"{' and '.join(changed)} changed")
