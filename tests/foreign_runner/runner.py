"""An automation runner that knows one entry point and the manifest: a JSON command in each line, an answer for each."""

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.resources import files
from pkgutil import resolve_name

import yaml

[point] = entry_points(group="connector.adapters", name="chatforge")
manifest = yaml.safe_load(files(point.module.partition(".")[0]).joinpath("manifest.yaml").read_text("utf-8"))
states, seen = {}, set()


def outputs(adapter, trigger, events):
    new = [event for event in events if event.identity not in seen]
    seen.update(event.identity for event in new)
    return [adapter.select(trigger, {}, event, datetime.now(UTC)) for event in new]


def obey(adapter, do, name="", input=None, headers=None, body=""):
    if do == "list":
        return [*manifest["actions"], *(name for group in manifest["triggers"].values() for name in group)]
    if do == "check":
        return adapter.check_connection(name)
    if do == "run":
        return adapter.run(name, input)
    if do == "webhook":
        delivery = adapter.accept_webhook(name.partition(".")[0], "default", headers, body.encode())
        return outputs(adapter, name, [delivery.event])
    polled = adapter.poll(name, input, states.get(name))
    states[name] = json.loads(json.dumps(polled.state))
    return outputs(adapter, name, polled.events) + (obey(adapter, do, name, input) if polled.more else [])


with resolve_name(manifest["blocking_adapter"]).from_environment() as adapter:
    for line in sys.stdin:
        try:
            answer = {"result": obey(adapter, **json.loads(line))}
        except Exception as error:
            facts = {name: getattr(error, name, None) for name in ("kind", "processed", "transient", "retry_after")}
            answer = {"error": str(error), **facts}
        print(json.dumps(answer), flush=True)
