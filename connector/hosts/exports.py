"""The packages that are generated for hosts of other languages, as files in memory.

Each host is a folder here with `package.build(registry, plugins) -> Export`.
"""

import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connector.registry import Registry

HOSTS = ("n8n", "zapier")


@dataclass(frozen=True, slots=True)
class Export:
    """A whole package. The same declarations give the same files."""

    files: Mapping[str, str | bytes]
    """Path → content."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Operation → why the package does not have it, as a clause."""


class _Package(Protocol):
    def build(self, registry: Registry, plugins: Collection[str]) -> Export: ...


def build(host: str, registry: Registry, plugins: Collection[str]) -> Export:
    """The package of these plugins for a host of HOSTS."""
    package: _Package = importlib.import_module(f"connector.hosts.{host}.package")
    return package.build(registry, plugins)
