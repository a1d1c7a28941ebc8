"""The only reader of the environment, of `.env`, of a secrets folder and of connections.yaml.

A value is looked up in the environment, then in `.env` of the current folder, then in the folder that
`CHATFORGE_SECRETS_DIR` names, in a file called like the setting. Secrets never appear in a repr.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr

from connector.errors import SettingsError

DEFAULT_BASE_URL = "https://chatforge.aiedge247.com/api/dashboard.js"  # the vendor's reference, "Base URL"
DEFAULT_RATE_LIMIT = 100  # requests a minute and key; the vendor's reference, "Rate limit"
WHERE = "Dashboard → Integrations"

_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Environment:
    """Where settings and secrets are looked up, nearest first."""

    layers: tuple[Mapping[str, str], ...] = field(repr=False)
    secrets_folder: Path | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str], folder: Path) -> "Environment":
        """The process's variables, then `.env` in `folder`, then the secrets folder."""
        layers = (environ, _read_env_file(folder / ".env"))
        named = next((layer[key] for layer in layers for key in ["CHATFORGE_SECRETS_DIR"] if layer.get(key)), "")
        return cls(layers, folder / named if named else None)

    def get(self, name: str) -> str | None:
        """The value of `name`; an empty one counts as missing."""
        for layer in self.layers:
            if value := layer.get(name, "").strip():
                return value
        if self.secrets_folder and (path := self.secrets_folder / name).is_file():
            return _read_secret_file(path) or None
        return None


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    """One account of connections.yaml. Its secrets are read only when `values` is called."""

    connector: str
    raw: Mapping[str, Any] = field(repr=False)
    place: str
    folder: Path
    environment: Environment = field(repr=False)

    def values(self) -> dict[str, Any]:
        """The entry with each `{env: NAME}` and `{file: PATH}` replaced by a `SecretStr`."""
        return {key: self._resolve(f"{self.place}: {key}", value) for key, value in self.raw.items()}

    def _resolve(self, place: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(f"{place}[{number}]", item) for number, item in enumerate(value)]
        if not isinstance(value, dict) or not value.keys() & {"env", "file"}:
            return value
        secret = self._secret(place, value)
        return {"value": secret, "until": _end(place, value["until"])} if "until" in value else secret

    def _secret(self, place: str, reference: dict[str, Any]) -> SecretStr:
        if reference.keys() - {"env", "file", "until"} or {"env", "file"} <= reference.keys():
            raise SettingsError(f"{place}: a secret is {{env: NAME}} or {{file: PATH}}, with an optional until")
        if "file" in reference:
            return SecretStr(_read_secret_file(self.folder / str(reference["file"])))
        name = str(reference["env"])
        if (value := self.environment.get(name)) is None:
            raise SettingsError(f"{place}: the variable {name} is not set; set it in the environment or in .env")
        return SecretStr(value)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set from outside. Each field names its variable."""

    api_key: SecretStr | None
    """CHATFORGE_API_KEY"""
    base_url: str
    """CHATFORGE_BASE_URL"""
    webhook_secrets: tuple[SecretStr, ...]
    """CHATFORGE_WEBHOOK_SECRET, several separated by commas"""
    database: Path
    """CHATFORGE_DATABASE_URL, `sqlite:///PATH`"""
    rate_limit: int
    """CHATFORGE_RATE_LIMIT, requests a minute"""
    public_url: str | None
    """CHATFORGE_PUBLIC_URL, the address under which the vendor reaches this server"""
    connections: Mapping[str, ConnectionEntry]


def load(folder: Path, flows: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; `folder` holds `.env`, `flows` connections.yaml. Raises SettingsError.

    `environ` stands in for the variables of the process.
    """
    environment = Environment.of(os.environ if environ is None else environ, folder)
    key = environment.get("CHATFORGE_API_KEY")
    secrets = (environment.get("CHATFORGE_WEBHOOK_SECRET") or "").split(",")
    return Settings(
        api_key=SecretStr(key) if key else None,
        base_url=_url("CHATFORGE_BASE_URL", environment.get("CHATFORGE_BASE_URL") or DEFAULT_BASE_URL),
        webhook_secrets=tuple(SecretStr(secret.strip()) for secret in secrets if secret.strip()),
        database=_database(environment, folder),
        rate_limit=_rate_limit(environment.get("CHATFORGE_RATE_LIMIT")),
        public_url=_url("CHATFORGE_PUBLIC_URL", public)
        if (public := environment.get("CHATFORGE_PUBLIC_URL"))
        else None,
        connections=_connections((flows or folder) / "connections.yaml", environment),
    )


def _url(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        good = False
    if not good:
        raise SettingsError(f"{name} is {value!r}: expected an address such as {DEFAULT_BASE_URL}")
    return value.rstrip("/")


def _rate_limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_RATE_LIMIT
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise SettingsError(f"CHATFORGE_RATE_LIMIT is {value!r}: expected a whole number of requests a minute, from 1")
    return int(value)


def _database(environment: Environment, folder: Path) -> Path:
    url = environment.get("CHATFORGE_DATABASE_URL")
    if url is None:
        home = Path(environment.get("HOME") or "~").expanduser()
        state = Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state")
        return state / "chatforge" / "chatforge.sqlite"
    if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
        raise SettingsError(
            f"CHATFORGE_DATABASE_URL is {_without_password(url)!r}: expected sqlite:///PATH, "
            "such as sqlite:///chatforge.sqlite or sqlite:////var/lib/chatforge/chatforge.sqlite"
        )
    return folder / url.removeprefix("sqlite:///")


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", url)


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    values = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not (match := _ENV_LINE.match(line)):
            raise SettingsError(f"{path}:{number}: expected NAME=value")
        values[match[1]] = _unquoted(match[2])
    return values


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return re.sub(r"\s+#.*$", "", value)


def _read_secret_file(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"the secret file {path} cannot be read: {reason}") from error


def _connections(path: Path, environment: Environment) -> Mapping[str, ConnectionEntry]:
    if not path.is_file():
        return MappingProxyType({})
    try:
        document = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: expected a mapping from connection names to their values")
    return MappingProxyType(
        {str(name): _entry(f"{path}: {name}", values, path.parent, environment) for name, values in document.items()}
    )


def _entry(place: str, values: object, folder: Path, environment: Environment) -> ConnectionEntry:
    if not isinstance(values, dict) or not isinstance(values.get("connector"), str):
        raise SettingsError(f"{place}: expected a mapping with `connector: NAME`, such as connector: chatforge")
    raw = {str(key): value for key, value in values.items() if key != "connector"}
    return ConnectionEntry(values["connector"], MappingProxyType(raw), place, folder, environment)


def _end(place: str, value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time.max, UTC)
    raise SettingsError(f"{place}: until is {value!r}: expected a date such as 2026-12-31")
