"""A field as it is here, at ChatForge, and as it was pulled: who changed it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connector.agents.fields import FIELDS, Values, digest

Kind = Literal["edited", "changed", "conflict"]
"""Edited here, changed at ChatForge, or both to different values."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs; None where it is not given."""

    field: str
    kind: Kind
    local: Any
    remote: Any


def compare(local: Values, remote: Values, pulled: Mapping[str, str]) -> list[Change]:
    """The fields that differ, in their order. `pulled` are digests, none for what was never pulled."""
    kinds = {name: _kind(local.get(name), remote.get(name), pulled.get(name)) for name in FIELDS}
    return [Change(name, kind, local.get(name), remote.get(name)) for name, kind in kinds.items() if kind]


def _kind(local: Any, remote: Any, pulled: str | None) -> Kind | None:
    if local == remote:
        return None
    if local is None:
        return "changed"  # what is not written here is left alone, until a pull writes it
    if remote is None:  # not shown, so nobody can say that it was changed
        return None if digest(local) == pulled else "edited"
    if pulled == digest(remote):
        return "edited"
    return "changed" if pulled == digest(local) else "conflict"
