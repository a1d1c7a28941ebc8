"""Fills the table of docs/hosts.md with what the tests in real hosts saw: python -m hosts.table, in tests."""

import json
from collections.abc import Mapping
from pathlib import Path

from hosts.results import RESULTS

from connector import registry

PAGE = Path(__file__).parents[2] / "docs" / "hosts.md"
HOSTS = {"mcp": "MCP", "airflow": "Airflow", "prefect": "Prefect", "n8n": "n8n", "zapier": "Zapier"}
REST = ("credential test", "webhook", "poll", "sample", "errors")
NOTHING_LIKE_IT = {
    **{("mcp", cell): "–" for cell in ("credential test", "webhook", "poll", "sample")},
    **{(host, "webhook"): "–" for host in ("airflow", "prefect", "zapier")},
    **{(host, "action:analytics_change"): "–" for host in ("n8n", "zapier")},
}
_BEGIN, _END = "<!-- table -->\n", "<!-- end of the table -->\n"


def read() -> dict[tuple[str, str], str]:
    """The newest outcome of each host and cell."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    found = [json.loads(line) for line in lines]
    return NOTHING_LIKE_IT | {(one["host"], one["cell"]): one["outcome"] for one in found}


def render(seen: Mapping[tuple[str, str], str]) -> str:
    """The table; an empty cell is one that no test has shown."""
    actions = [name.partition(".")[2] for name in registry.load().actions if name.startswith("chatforge.")]
    rows = [(f"`{name}`", f"action:{name}") for name in actions] + [(name, name) for name in REST]
    lines = [f"| | {' | '.join(HOSTS.values())} |", f"| --- |{' --- |' * len(HOSTS)}"]
    for shown, cell in rows:
        lines.append(f"| {shown} | {' | '.join(seen.get((host, cell), '') for host in HOSTS)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    text = PAGE.read_text()
    head, rest = text.split(_BEGIN)
    PAGE.write_text(f"{head}{_BEGIN}\n{render(read())}\n{_END}{rest.split(_END)[1]}")


if __name__ == "__main__":
    main()
