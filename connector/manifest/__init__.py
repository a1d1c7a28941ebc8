"""What this package offers, as plain data: for hosts in other languages, and to see what a new version changes."""

from connector.manifest.changes import Change, compare, needed_version, suffices
from connector.manifest.contents import build, own_plugins, plugins_of
from connector.manifest.document import FORMAT, ManifestError, read, render, write_yaml

__all__ = [
    "FORMAT",
    "Change",
    "ManifestError",
    "build",
    "compare",
    "needed_version",
    "own_plugins",
    "plugins_of",
    "read",
    "render",
    "suffices",
    "write_yaml",
]
