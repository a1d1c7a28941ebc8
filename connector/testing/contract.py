"""The suite that a plugin has to pass: what hosts rely on, checked against a double of the plugin's service."""

import asyncio
import functools
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connector import manifest as manifests
from connector import registry as registries
from connector.declare import Webhook
from connector.errors import ConnectorError, PluginError, WebhookError
from connector.manifest import ManifestError
from connector.registry import Registry
from connector.testing import effects, failures, gateway, leaks, paging, polls
from connector.testing.subject import NOW, Service, Subject, fail, make_settings, names_of, require_schema
from connector.validation import read, sentence

_FORGED = (b"", b"{}", b"\xff\xfe", b"[" * 100_000)
"""Bodies that nobody has signed."""


@functools.cache
def _load() -> Registry:
    return registries.load()


class PluginContract:
    """Derive a class from it, called `Test…`, name the plugin, and say how to reach a double of its service.

    Without the double only the declarations could be checked, so `service` and `connection_values` are required
    of a plugin with a connection.
    """

    plugin: str = ""
    """The name of the plugin's entry point."""
    names: Path | Collection[str] = ()
    """The names that flows rely on, without the plugin's: `("send_card", …)`, or the path of a committed manifest."""
    secret: str = "canary/7Qz+9=kXw2vB~4tR"  # noqa: S105 - it opens a double and nothing else
    """What the suite puts in for each secret of the connection; the double has to accept it as its key."""
    reading_by_post: Collection[str] = ()
    """`read` actions of a service that is read by POST, such as a search."""

    any_body: Collection[str] = ()
    """Actions that take whatever body a 2xx answer has, because the service documents none."""
    missing_is_null: Collection[str] = ()
    """`read` actions whose output says that there is none where the service answers 404."""

    # What a plugin's author overrides.

    @pytest.fixture
    def service(self) -> Service | Iterator[Service]:
        """A double of the service that runs, with some records, new for each test."""
        return Service("")

    def connection_values(self, url: str, secret: SecretStr) -> Mapping[str, Any]:  # noqa: ARG002 - as in inputs
        """The values of the connection to the service at `url`, whose secrets all are `secret`."""
        fail(
            f"say what a connection of {self.plugin} is made of: override connection_values(self, url, secret) in "
            f"{type(self).__name__}, and return its values with {url!r} and the secret where they belong"
        )

    def inputs(self, service: Service) -> Mapping[str, Mapping[str, Any]]:  # noqa: ARG002 - for those who override it
        """Inputs by the name of the action or trigger, where the declared example does not suit the double."""
        return {}

    # What the suite makes of that.

    @pytest.fixture
    def subject(self, service: Service, tmp_path: Path) -> Iterator[Subject]:
        """The plugin, connected to the double by way of a gateway that looks and interferes."""
        loaded = _load()
        connection = loaded.connections.get(self.plugin)
        with gateway.running(service.url) if connection and connection.http else nullcontext() as between:
            url = between.url if between else service.url
            values = self.connection_values(url, SecretStr(self.secret)) if connection else {}
            settings = make_settings(tmp_path, self.plugin, values)
            inputs = self.inputs(service)
            made = Subject(self.plugin, loaded, settings, self.secret, between, inputs, service.records)
            made.require_connection()
            yield made

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each action and trigger that a check is for."""
        for argument, names in _operations(self.plugin).items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, names)

    def test_names_are_stable(self) -> None:
        """Flows name actions and triggers: a name that goes breaks them."""
        if not self.names:
            pytest.skip("`names` is not set: list the names of the plugin's actions and triggers, or name a manifest")
        committed = _committed_names(self.plugin, self.names)
        actions, triggers = names_of(_load(), self.plugin)
        for name in sorted(committed - {*actions, *triggers}):
            fail(f"{self.plugin}.{name} is gone, and flows that name it no longer run; bring it back")
        for name in sorted({*actions, *triggers} - committed):
            fail(f"{self.plugin}.{name} is new; add it to `names`, or write the manifest again")

    def test_operations_are_told_apart(self) -> None:
        """Two of one title cannot be told apart by a user."""
        loaded = _load()
        for kind, declared in (("actions", loaded.actions), ("triggers", loaded.triggers)):
            titles = [one.title for full, one in declared.items() if full.startswith(f"{self.plugin}.")]
            for title in titles:
                if not title.strip() or titles.count(title) > 1:
                    fail(f"{titles.count(title)} {kind} of {self.plugin} have the title {title!r}; give each its own")

    def test_example_is_valid(self, action: str) -> None:
        """A host shows the example as a first input."""
        declared = _load().action(f"{self.plugin}.{action}")
        try:
            read(declared.input, declared.example)
        except ValidationError as error:
            what = sentence(error)
            fail(f"the example of {declared.name} does not fit its input: {what}; declare it with example={{…}}")

    def test_connection_can_be_tested(self, subject: Subject) -> None:
        """The action that shows that the connection works, run without input as a host does."""
        if subject.connection is None or subject.connection.test is None:
            pytest.skip("the plugin's connection names no test")
        asyncio.run(_run_alone(subject, subject.connection.test, {}))

    def test_output_fits_its_schema(self, subject: Subject, action: str) -> None:
        """Flows are checked against the JSON Schema of the output."""
        output = asyncio.run(_run_alone(subject, action))
        require_schema(subject.action(action), output)

    def test_effect_is_plausible(self, subject: Subject, action: str) -> None:
        """What is declared decides whether a host repeats an action."""
        asyncio.run(effects.require_plausible(subject, action, self.reading_by_post))

    def test_errors_are_mapped(self, subject: Subject, action: str) -> None:
        """A host decides by them whether to try again, to hold, or to ask for another key."""
        _require_http(subject)
        asyncio.run(failures.require_mapped(subject, action, self.any_body, self.missing_is_null))

    def test_secret_stays_inside(
        self,
        subject: Subject,
        action: str,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Outputs, errors and logs are stored and shown."""
        _require_http(subject)
        caplog.set_level("DEBUG")

        def read_printed() -> str:
            text = caplog.text + "".join(capfd.readouterr())
            caplog.clear()
            return text

        asyncio.run(leaks.require_hidden(subject, action, read_printed))

    def test_pages_are_complete(self, subject: Subject, paged_action: str) -> None:
        """Walking from next_offset to next_offset brings every record once."""
        asyncio.run(paging.require_complete(subject, paged_action))

    def test_sample_is_wanted(self, subject: Subject, trigger: str) -> None:
        """A host shows the sample, and tries a flow with it."""
        declared = subject.trigger(trigger)
        if not declared.sample.identity.strip():
            fail(f"the sample of {declared.name} has no identity; make one, as events that come have")
        if declared.sample.source not in declared.sources:
            fail(f"the sample of {declared.name} comes by {declared.sample.source!r}, not by one of its sources")
        try:
            json.dumps(dict(declared.sample.payload), allow_nan=False)
        except (TypeError, ValueError) as error:
            fail(f"the payload of the sample of {declared.name} is no plain JSON: {error}; write times as text")
        subject.select(trigger, declared.sample)

    def test_poll_is_complete(self, subject: Subject, polled_trigger: str) -> None:
        """Every record is found once, whenever the host stops and goes on."""
        asyncio.run(polls.require_complete(subject, polled_trigger))

    def test_forged_delivery_is_refused(self, subject: Subject) -> None:
        """Anyone can send to a webhook's address."""
        if subject.connection is None or subject.connection.webhook is None:
            pytest.skip("the plugin takes no webhooks")
        samples = [json.dumps(dict(trigger.sample.payload)).encode() for trigger in subject.registry.triggers.values()]
        for body in (*_FORGED, *samples):
            _require_refused(subject, subject.connection.webhook, body)


def _operations(plugin: str) -> Mapping[str, list[str]]:
    """What the tests are made for: argument → names."""
    try:
        loaded = _load()
    except PluginError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    known = manifests.plugins_of(loaded)
    if plugin not in known:
        raise pytest.Collector.CollectError(
            f"there is no plugin {plugin!r}, only {', '.join(known)}; install its package here: pip install -e ."
        )
    actions, triggers = names_of(loaded, plugin)
    return {
        "action": actions,
        "trigger": triggers,
        "paged_action": [name for name in actions if paging.lists_pages(loaded, f"{plugin}.{name}")],
        "polled_trigger": [name for name in triggers if loaded.trigger(f"{plugin}.{name}").poll is not None],
    }


def _committed_names(plugin: str, names: Path | Collection[str]) -> set[str]:
    if not isinstance(names, Path):
        return set(names)
    try:
        document = manifests.read(names.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ManifestError) as error:
        fail(f"the manifest {names} cannot be read: {error}; write it with: chatforge manifest --write {names}")
    triggers = [name for group in document["triggers"].values() for name in group]
    return {
        name.removeprefix(f"{plugin}.") for name in (*document["actions"], *triggers) if name.startswith(f"{plugin}.")
    }


async def _run_alone(subject: Subject, name: str, input: Mapping[str, Any] | None = None) -> dict[str, Any]:
    async with subject.open() as adapter:
        return await subject.run_well(adapter, name, input)


def _require_http(subject: Subject) -> None:
    if subject.gateway is None:
        pytest.skip("the plugin's connection has no `http`")


def _require_refused(subject: Subject, webhook: Webhook, body: bytes) -> None:
    connection = subject.open().connection(subject.plugin, subject.connection_name)
    shown = repr(body[:40])
    try:
        webhook.verify({}, body, webhook.secrets(connection, NOW))
    except WebhookError as error:
        if not 400 <= error.status < 500:
            fail(f"{subject.plugin} answers the unsigned body {shown} with status {error.status}; answer with 401")
    except Exception as error:  # whatever a stranger's function raises
        what = error if isinstance(error, ConnectorError) else type(error).__name__
        fail(f"{subject.plugin} fails on the unsigned body {shown}: {what}; raise a WebhookError with status 401")
    else:
        fail(f"{subject.plugin} takes the unsigned body {shown}; verify its signature with each of the live secrets")
