"""The only reader of the environment, of `.env`, of a secrets folder and of connections.yaml.

A value is looked up in the environment, then in `.env` of the current folder, then in the folder that
`CHATFORGE_SECRETS_DIR` names, in a file called like the setting. Secrets never appear in a repr or an error.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr

from connector.database import PostgresUrl
from connector.errors import SettingsError

DEFAULT_BASE_URL = "https://chatforge.aiedge247.com/api/dashboard.js"  # the vendor's reference, "Base URL"
DEFAULT_RATE_LIMIT = 100  # requests a minute and key; the vendor's reference, "Rate limit"
WHERE = "Dashboard → Integrations"
REFERENCE = "{env: NAME} or {file: PATH}"
"""How a secret is written in connections.yaml."""

_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_ENV_VALUE = re.compile(r"""(?:\s*'([^']*)'|\s*"((?:[^"\\]|\\.)*)"|(?!\s*['"])((?:(?!\s#).)*))(?:\s+#.*)?""")
_BROKEN = re.compile("[\udc80-\udcff]")  # what Python makes of bytes that are not UTF-8
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_CONNECTION = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_CONFIG = "CHATFORGE_CONFIG_NAME"
_DEFAULT_ACCOUNT = ("default", "chatforge")
_COLLECTOR = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_DATABASE = "CHATFORGE_DATABASE_URL"
_KEEP = {
    "succeeded": "CHATFORGE_KEEP_SUCCEEDED",
    "failed": "CHATFORGE_KEEP_FAILED",
    "cancelled": "CHATFORGE_KEEP_CANCELLED",
}
LogFormat = Literal["text", "json"]
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Environment:
    """Where settings and secrets are looked up, nearest first."""

    layers: tuple[Mapping[str, str], ...] = field(repr=False)
    secrets_folder: Path | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str], folder: Path) -> "Environment":
        """The process's variables, then `.env` in `folder`, then the secrets folder."""
        layers = cls((environ, _read_env_file(folder / ".env")))
        if (named := layers.get("CHATFORGE_SECRETS_DIR")) is None:
            return layers
        if not (folder / named).is_dir():
            raise SettingsError(f"CHATFORGE_SECRETS_DIR is {named!r}: expected a folder with one file for each secret")
        return cls(layers.layers, folder / named)

    def get(self, name: str) -> str | None:
        """The value of `name` without space around it; an empty one counts as missing."""
        for layer in self.layers:
            if value := layer.get(name, "").strip():
                if _BROKEN.search(value):
                    raise SettingsError(f"the value of {name} is not UTF-8 text; write it as UTF-8")
                return value
        if self.secrets_folder is None:
            return None
        return _read_text("the secret file", self.secrets_folder / name, missing="").strip() or None


@dataclass(frozen=True, slots=True)
class Keep:
    """How long runs are kept once they have ended so; None: for good."""

    succeeded: timedelta | None = timedelta(days=30)
    """CHATFORGE_KEEP_SUCCEEDED, such as 12h or 30d, or forever"""
    failed: timedelta | None = timedelta(days=90)
    """CHATFORGE_KEEP_FAILED"""
    cancelled: timedelta | None = timedelta(days=90)
    """CHATFORGE_KEEP_CANCELLED"""


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    """One account of connections.yaml. Its secrets are read only when `values` is called."""

    connector: str
    raw: Mapping[str, Any] = field(repr=False)
    place: str
    folder: Path
    environment: Environment = field(repr=False)

    def values(self) -> dict[str, Any]:
        """The entry with each `{env: NAME}` and `{file: PATH}` replaced by a `SecretStr`.

        With an `until` beside it, it becomes `{"value": SecretStr, "until": datetime}`.
        """
        return {key: self._resolve(f"{self.place}: {key}", value) for key, value in self.raw.items()}

    def _resolve(self, place: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(f"{place}[{number}]", item) for number, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not value.keys() & {"env", "file"}:
            return {key: self._resolve(f"{place}.{key}", item) for key, item in value.items()}
        secret = self._secret(place, value)
        return {"value": secret, "until": _end(place, value["until"])} if "until" in value else secret

    def _secret(self, place: str, reference: dict[str, Any]) -> SecretStr:
        if reference.keys() - {"env", "file", "until"} or {"env", "file"} <= reference.keys():
            raise SettingsError(f"{place}: a secret is {REFERENCE}, with an until where it ends; write one of the two")
        if "file" in reference:
            path = self.folder / str(reference["file"])
            if not (text := _read_text(f"{place}: the secret file", path).strip()):
                raise SettingsError(f"{place}: the secret file {path} is empty; write the secret into it")
            return SecretStr(text)
        name = str(reference["env"])
        if not _VARIABLE.fullmatch(name):
            raise SettingsError(f"{place}: env is not the name of a variable; write {{env: NAME}}, such as ACME_KEY")
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
    database: Path | PostgresUrl
    """CHATFORGE_DATABASE_URL, `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`"""
    state_folder: Path
    """Where files lie that have no place of their own"""
    rate_limit: int
    """CHATFORGE_RATE_LIMIT, requests a minute"""
    budget_file: Path | None
    """CHATFORGE_BUDGET_FILE, in which all processes of this machine count their requests; None: each for itself"""
    public_url: str | None
    """CHATFORGE_PUBLIC_URL, the address under which the vendor reaches this server"""
    connections: Mapping[str, ConnectionEntry]
    mcp_token: SecretStr | None = None
    """CHATFORGE_MCP_TOKEN, which clients of `chatforge mcp --http` send"""
    password: SecretStr | None = None
    """CHATFORGE_PASSWORD, with which people log in to the pages of `chatforge serve`"""
    on_failure: SecretStr | None = None
    """CHATFORGE_ON_FAILURE, the flow or the URL that is told of runs whose flow names none"""
    keep: Keep = Keep()
    log_format: LogFormat = "text"
    """CHATFORGE_LOG_FORMAT, how the lines of the log are written: text or json"""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What connections.yaml has below `config`."""
    environment: Environment = field(default=Environment(()), repr=False, compare=False)

    def beside_database(self, name: str) -> Path:
        """A file in the folder of the database, or in that for state where the database is on a server."""
        return (self.database.parent if isinstance(self.database, Path) else self.state_folder) / name

    def config_text(self, name: str) -> str | None:
        """The value of `config.NAME` that the environment has."""
        return self.environment.get(config_variable(name))


def config_variable(name: str) -> str:
    """The variable of the environment that sets `config.NAME`."""
    return _CONFIG.replace("NAME", name.upper())


def load(folder: Path, flows: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; `folder` holds `.env`, `flows` connections.yaml. Raises SettingsError.

    `environ` stands in for the variables of the process.
    """
    environment = Environment.of(os.environ if environ is None else environ, folder)
    key = environment.get("CHATFORGE_API_KEY")
    secrets = (environment.get("CHATFORGE_WEBHOOK_SECRET") or "").split(",")
    public_url, token = environment.get("CHATFORGE_PUBLIC_URL"), environment.get("CHATFORGE_MCP_TOKEN")
    password, on_failure = environment.get("CHATFORGE_PASSWORD"), environment.get("CHATFORGE_ON_FAILURE")
    state = _state_folder(environment, folder)
    url = environment.get(_DATABASE)
    connections, config = _connections((flows or folder) / "connections.yaml", environment)
    return Settings(
        api_key=SecretStr(key) if key else None,
        base_url=_url("CHATFORGE_BASE_URL", environment.get("CHATFORGE_BASE_URL") or DEFAULT_BASE_URL),
        webhook_secrets=tuple(SecretStr(secret.strip()) for secret in secrets if secret.strip()),
        database=read_address(url, folder) if url else state / "chatforge.sqlite",
        state_folder=state,
        rate_limit=_rate_limit(environment.get("CHATFORGE_RATE_LIMIT")),
        budget_file=folder / (environment.get("CHATFORGE_BUDGET_FILE") or state / "budget.sqlite"),
        public_url=_url("CHATFORGE_PUBLIC_URL", public_url) if public_url else None,
        mcp_token=SecretStr(token) if token else None,
        password=SecretStr(password) if password else None,
        on_failure=SecretStr(on_failure) if on_failure else None,
        keep=Keep(**{name: _time(variable, environment.get(variable), name) for name, variable in _KEEP.items()}),
        log_format=_log_format(environment.get("CHATFORGE_LOG_FORMAT") or "text"),
        connections=connections,
        config=config,
        environment=environment,
    )


def with_account(found: Settings, api_key: str, base_url: str, place: str) -> Settings:
    """The settings with the key and address of another default ChatForge account; without an address it stays.

    `place` is where the address stands, for the SettingsError.
    """
    named = {name: entry for name, entry in found.connections.items() if (name, entry.connector) != _DEFAULT_ACCOUNT}
    address = _url(place, base_url) if base_url else found.base_url
    return replace(found, api_key=SecretStr(api_key), base_url=address, connections=named)


def find_collector(folder: Path) -> str | None:
    """Where the SDK of OpenTelemetry sends traces, if anywhere.

    It reads its variables from the environment of the process by itself; those of `.env` are put there for it.
    """
    process, file = Environment.of(os.environ, folder).layers
    found = None
    for name in _COLLECTOR:
        found = found or process.get(name) or file.get(name)
    for name, value in file.items() if found else ():
        if name.startswith("OTEL_"):
            os.environ.setdefault(name, value)
    return found


def variables(folder: Path, environ: Mapping[str, str] | None = None) -> frozenset[str]:
    """The names that are set in the environment and in `.env` of `folder`, also those that nothing reads."""
    return frozenset[str]().union(*Environment.of(os.environ if environ is None else environ, folder).layers)


def _url(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
        good = known and "@" not in parts.netloc and not re.search(r"[\s?#]", value)
    except ValueError:
        good = False
    if not good:
        raise SettingsError(
            f"{name} is {_shown(value)!r}: expected http://HOST/PATH or https://HOST/PATH without user name, "
            f"query and fragment, such as {DEFAULT_BASE_URL}"
        )
    return value.rstrip("/")


def _time(variable: str, value: str | None, status: str) -> timedelta | None:
    if value is None:
        default: timedelta | None = getattr(Keep(), status)
        return default
    if value == "forever":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})(m|h|d)", value)
    if match is None:
        raise SettingsError(f"{variable} is {value!r}: expected a time such as 30d, 12h or 90m, or forever")
    return int(match[1]) * _UNITS[match[2]]


def _log_format(value: str) -> LogFormat:
    for known in get_args(LogFormat):
        if value == known:
            return cast("LogFormat", known)
    raise SettingsError(f"CHATFORGE_LOG_FORMAT is {value!r}: expected text or json")


def _rate_limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_RATE_LIMIT
    if not re.fullmatch(r"[1-9][0-9]{0,5}", value):
        raise SettingsError(f"CHATFORGE_RATE_LIMIT is {value!r}: expected requests a minute, from 1 to 999999")
    return int(value)


def read_address(url: str, folder: Path, name: str = _DATABASE) -> Path | PostgresUrl:
    """The database that a URL names. Raises SettingsError, which says `name`."""
    if url.startswith(("postgresql://", "postgres://")):
        return _postgres(url, name)
    path = url.removeprefix("sqlite:///")
    if path in (url, "", ":memory:") or path.endswith("/") or re.search(r"[?#\0]", path):
        raise SettingsError(
            f"{name} is {_shown(url)!r}: expected sqlite:///PATH, "
            "such as sqlite:///chatforge.sqlite or sqlite:////var/lib/chatforge/chatforge.sqlite, "
            "or postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    return folder / path


def _postgres(url: str, name: str) -> PostgresUrl:
    try:
        parts = urlsplit(url)
        misplaced = parts.netloc.count("@") > 1 or "@" in parts.path  # of a password that was not escaped
        good = len(parts.path) > 1 and not misplaced and not re.search(r"[\s\0]", url) and (parts.port or True)
    except ValueError:
        good = False
    if not good:
        raise SettingsError(
            f"{name} is {_shown(url)!r}: expected postgresql://USER:PASSWORD@HOST/DATABASE, "
            "with %40 for an @ and %2F for a / in the password, a port that is a number, and the database"
        )
    return PostgresUrl(url)


def _state_folder(environment: Environment, folder: Path) -> Path:
    """Where the XDG specification wants state; `folder` for a user without a home."""
    state, home = environment.get("XDG_STATE_HOME"), environment.get("HOME")
    if state and Path(state).is_absolute():  # the specification has others ignored
        return Path(state) / "chatforge"
    return Path(home) / ".local" / "state" / "chatforge" if home else folder


def _shown(url: str) -> str:
    """A URL without what may be a secret: user name, password and query. What is no URL is not shown."""
    if "://" not in url and re.search("[@=]", url):
        return "…"
    return re.sub(r"[?#].*", "?…", re.sub(r"//.*@", "//…@", url, flags=re.DOTALL), flags=re.DOTALL)


def _read_text(what: str, path: Path, missing: str | None = None) -> str:
    """The text of a file; `missing`, where that is given, where there is none."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise SettingsError(f"{what} {path} cannot be read: it is a device")  # which may have no end
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        if missing is not None and isinstance(error, FileNotFoundError):
            return missing
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{what} {path} cannot be read: {reason}; check its name and its permissions") from error
    text = content.decode("utf-8-sig", "surrogateescape")
    if _BROKEN.search(text):  # a UnicodeDecodeError would carry the content
        raise SettingsError(f"{what} {path} cannot be read: it is not UTF-8 text; save it as UTF-8")
    return text


def _read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines, also with `export`, quotes and comments. The last of several wins; no `$` is replaced."""
    values = {}
    lines = _read_text("the settings file", path).split("\n") if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name = _ENV_LINE.fullmatch(line.rstrip())
        value = _ENV_VALUE.fullmatch(name[2]) if name else None
        if not name or not value:
            raise SettingsError(f"{path}:{number}: expected NAME=value, with value in one pair of quotes or none")
        literal, escaped, plain = value.groups()
        values[name[1]] = literal or re.sub(r'\\(["\\])', r"\1", escaped or "") or (plain or "").strip()
    return values


class _ConnectionsLoader(yaml.SafeLoader):
    """Safe YAML without anchors, in which no name may come twice, and what JSON would not read is text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's way; filled below

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # the stubs leave it open
            raise yaml.composer.ComposerError(None, None, "an alias (*) is not read here", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the name {name} comes twice", node.start_mark)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", "null|~|", "n~"),
    ("bool", "true|false", "tf"),
    ("int", "-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", "-0123456789"),
):
    _ConnectionsLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), [*_first, ""]
    )


def _connections(path: Path, environment: Environment) -> tuple[Mapping[str, ConnectionEntry], Mapping[str, Any]]:
    """The connections, and what stands below `config`."""
    document = _read_yaml(path, _read_text("the connections file", path, missing=""))
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: expected a mapping from connection names to their values")
    if not isinstance(config := document.pop("config", {}), dict):
        raise SettingsError(f"{path}: config: expected a mapping from names to values, such as config: {{owner: Anna}}")
    connections = {name: _entry(path, name, values, environment) for name, values in document.items()}
    return MappingProxyType(connections), MappingProxyType(config)


def _read_yaml(path: Path, text: str) -> Any:
    try:
        return yaml.load(text, _ConnectionsLoader) or {}  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        # Not the whole text of the error: it quotes the line, which may hold a secret.
        reason = re.sub(r"(['\"]).*\1", "…", error.problem or "it ends too early")
    except Exception as error:  # what a tag makes of a value that does not fit, and too deep a nesting
        place, reason = str(path), type(error).__name__
    raise SettingsError(f"{place}: this is not YAML: {reason}; correct it, or put the value in quotes")


def _entry(path: Path, name: object, values: object, environment: Environment) -> ConnectionEntry:
    if not isinstance(name, str) or not _CONNECTION.fullmatch(name):
        raise SettingsError(f"{path}: {name!r} is not a name of a connection: expected a-z, 0-9, _ and -, such as acme")
    if not isinstance(values, dict) or not isinstance(values.get("connector"), str):
        raise SettingsError(f"{path}: {name}: expected a mapping with `connector: NAME`, such as connector: chatforge")
    raw = {str(key): value for key, value in values.items() if key != "connector"}
    return ConnectionEntry(values["connector"], MappingProxyType(raw), f"{path}: {name}", path.parent, environment)


def _end(place: str, value: object) -> datetime:
    """A time, UTC where it says nothing else; a date ends with its last moment."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[T ](.+))?", str(value))
    try:
        day = date.fromisoformat(match[1] if match else "")
        end = datetime.combine(day, time.fromisoformat(match[2]) if match and match[2] else time.max)
    except ValueError:
        raise SettingsError(
            f"{place}: until is {value!r}: expected a date such as 2026-12-31, or a time such as 2026-12-31T18:00:00Z"
        ) from None
    return end if end.tzinfo else end.replace(tzinfo=UTC)
