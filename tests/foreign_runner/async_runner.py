"""The runner of `runner.py` for hosts with an event loop."""

import asyncio
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


async def obey(adapter, do, name="", input=None, headers=None, body=""):
    if do == "list":
        return [*manifest["actions"], *(name for group in manifest["triggers"].values() for name in group)]
    if do == "check":
        return await adapter.check_connection(name)
    if do == "run":
        return await adapter.run(name, input)
    if do == "webhook":
        delivery = adapter.accept_webhook(name.partition(".")[0], "default", headers, body.encode())
        return outputs(adapter, name, [delivery.event])
    polled = await adapter.poll(name, input, states.get(name))
    states[name] = json.loads(json.dumps(polled.state))
    return outputs(adapter, name, polled.events) + (await obey(adapter, do, name, input) if polled.more else [])


async def main():
    async with resolve_name(manifest["adapter"]).from_environment() as adapter:
        for line in sys.stdin:
            try:
                answer = {"result": await obey(adapter, **json.loads(line))}
            except Exception as error:
                facts = {name: getattr(error, name, None) for name in ("kind", "processed", "transient", "retry_after")}
                answer = {"error": str(error), **facts}
            print(json.dumps(answer), flush=True)


asyncio.run(main())
