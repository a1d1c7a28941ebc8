"""Which flows watch which list of which connection."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from connector.adapter import Adapter, Delivery
from connector.declare import Item, PolledList, connector_of
from connector.flows.flow import Flow
from connector.runs.events import Decision

Decide = Callable[[Flow, Delivery], Decision | None]


@dataclass(frozen=True, slots=True)
class Watcher:
    """A flow that watches a list. `every` and `patience` are in seconds."""

    flow: Flow
    start: str
    """`now`, `all` or a time."""
    every: float
    partition: str | None
    """None: all partitions."""
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """A list of one connection, and the flows that watch it."""

    connector: str
    connection: str
    list: PolledList
    watchers: Sequence[Watcher]
    decide: Decide = field(repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.connector, self.connection, self.list.name

    @property
    def follows(self) -> bool:
        """Whether a flow watches all partitions, whichever there are."""
        return any(one.partition is None for one in self.watchers)

    @property
    def flows(self) -> Sequence[str]:
        """Their names."""
        return [one.flow.name for one in self.watchers]

    def identities(self, partition: str, item: str) -> Sequence[str]:
        """Of the events that tell of an entry when it is new."""
        return [event.identity for event in self.list.tell(partition, Item(item, {}), None)]


@dataclass(frozen=True, slots=True)
class Poll:
    """The walk through one partition of a list."""

    id: int
    partition: str


def find_watches(adapter: Adapter, flows: Iterable[Flow], decide: Decide) -> list[Watch]:
    """The lists that the flows which are on watch, each with all its flows."""
    found: dict[tuple[str, str, str], Watch] = {}
    for flow in flows:
        watching = adapter.watch(flow.started_by.uses, flow.started_by.input) if flow.enabled and flow.trigger else None
        if watching is not None:
            connector = connector_of(flow.started_by.uses)
            watcher = Watcher(flow, watching.start, watching.every, watching.partition, watching.patience)
            key = (connector, flow.started_by.connection, watching.list.name)
            known = found.get(key)
            watchers = (*known.watchers, watcher) if known else (watcher,)
            found[key] = Watch(connector, flow.started_by.connection, watching.list, watchers, decide)
    return list(found.values())
