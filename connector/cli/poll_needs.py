"""How many requests a minute the polls of flows need. They are shared: one per account, list and agent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connector.adapter import Adapter
from connector.declare import connector_of
from connector.flows.flow import Flow
from connector.runs.listeners import find_listeners
from connector.runs.polling.pace import SHARE
from connector.settings import Settings

Account = tuple[str, str]
_EVERY_AGENT = None


@dataclass(slots=True)
class PollNeeds:
    """Of one account, in requests a minute."""

    account: Account
    limit: float | None
    """What the account may send; None: as many as it likes."""
    _pauses: dict[tuple[str, str | None], float] = field(default_factory=dict)
    """Seconds between two polls of a list, of one agent or of every agent."""
    own: float = 0.0
    """For polls that flows do not share, of one request each at least."""

    def add(self, polled: str, partition: str | None, pause: float) -> None:
        """A flow polls, all `pause` seconds; the shortest pause is kept."""
        self._pauses[polled, partition] = min(max(pause, 0.1), self._pauses.get((polled, partition), pause))

    @property
    def per_agent(self) -> float:
        """For each agent of the account."""
        return sum(60 / pause for (_, partition), pause in self._pauses.items() if partition is _EVERY_AGENT)

    @property
    def named(self) -> float:
        """For the agents that flows name, beyond what each agent needs."""
        return sum(
            max(0.0, 60 / pause - 60 / self._pauses.get((polled, _EVERY_AGENT), float("inf")))
            for (polled, partition), pause in self._pauses.items()
            if partition is not _EVERY_AGENT
        )

    def sentences(self) -> Iterator[str]:
        """What the polls need, and what to do where that is too much."""
        name = "/".join(self.account)
        parts = [f"{_count(self.per_agent)} per agent"] if self.per_agent else []
        if self.named:
            count = f"{_number(self.named)} more" if parts else _count(self.named)
            parts.append(f"{count} for the agents that flows name")
        if self.own:
            parts.append(f"at least {_count(self.own)}")
        needed, share = self.named + self.per_agent + self.own, SHARE * (self.limit or float("inf"))
        enough = ""
        if self.limit and self.per_agent and needed <= share:
            enough = f", enough for {_agents(int((share - self.named - self.own) / self.per_agent))}"
        yield f"polls of {name}: {' and '.join(parts)}{enough}"
        if self.limit and needed > share:
            yield (
                f"warning: polling {name} needs at least {_count(needed)}, more than {SHARE:.0%} of its "
                f"{self.limit:g}; the server will poll less often: write a longer `every`"
            )


def find_needs(adapter: Adapter, settings: Settings, flows: Sequence[Flow]) -> Sequence[PollNeeds]:
    """Of each account that flows poll."""
    found: dict[Account, PollNeeds] = {}
    for flow in (*flows, *find_listeners(flows)):
        trigger = flow.trigger
        if trigger is None or not flow.enabled:
            continue
        watching, pause = adapter.watch(trigger.uses, trigger.input), adapter.pause(trigger.uses, trigger.input)
        account = connector_of(trigger.uses), trigger.connection
        if account not in found and (watching or pause is not None):
            found[account] = PollNeeds(account, _limit(adapter, settings, account))
        if watching is not None:
            found[account].add(watching.list.name, watching.partition, watching.every)
        elif pause is not None:
            found[account].own += 60 / max(pause, 0.1)
    return list(found.values())


def _limit(adapter: Adapter, settings: Settings, account: Account) -> float | None:
    """From the settings as they are written: checking needs no secrets."""
    connector, name = account
    declared = adapter.registry.connections.get(connector)
    if declared is None:
        return None
    entry = settings.connections.get(name)
    values: Mapping[str, object] = {**declared.common(settings), **(entry.raw if entry else {})}
    given = values.get("rate_limit")
    if isinstance(given, int) and given > 0:
        return given
    return declared.rate_limit.requests * 60 / declared.rate_limit.seconds if declared.rate_limit else None


def _count(requests: float) -> str:
    shown = _number(requests)
    return f"{shown} request a minute" if shown == "1" else f"{shown} requests a minute"


def _number(requests: float) -> str:
    return f"{requests:.2g}" if requests < 10 else f"{requests:,.0f}"


def _agents(number: int) -> str:
    return "1 agent" if number == 1 else f"{number:,} agents"
