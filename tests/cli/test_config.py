"""What a flow reads as `config` and that has no value: told before anything is done, all at once."""

import json

import pytest

FLOW = """
trigger: {uses: manual}
config: {owner: {type: str}, limit: {type: int}, share: {type: number}}
steps: [{id: inner, uses: flow.inner}]
outputs: {owner: "${{ config.owner }}"}
"""
INNER = "flow: inner\ninputs: {}\nconfig: {city: {type: str}}\nsteps: [{id: all, uses: contacts.list}]\n"
WRONG = {"CHATFORGE_CONFIG_SHARE": "half"}
MISSING = (
    "the flow 'inner': config.city (str) has no value: write `config: {city: …}` into connections.yaml, or set "
    "CHATFORGE_CONFIG_CITY; the flow 'one': config.owner (str) and config.limit (int) have no value: write `config: "
    "{owner: …, limit: …}` into connections.yaml, or set CHATFORGE_CONFIG_OWNER and CHATFORGE_CONFIG_LIMIT; "
    "CHATFORGE_CONFIG_SHARE: expected number, not 'half'"
)


@pytest.fixture
def here(chatforge, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "one.yaml").write_text(f"flow: one{FLOW}")
    (tmp_path / "flows" / "inner.yaml").write_text(INNER)
    return chatforge


@pytest.mark.parametrize(
    "arguments",
    ["run flows/one.yaml", "run flows/one.yaml --dry-run", "serve --flows flows"],
    ids=["run", "dry run", "serve"],
)
def test_missing_and_wrong_values_are_told_at_once_with_their_flow(here, arguments):
    result = here(*arguments.split(), **WRONG)
    assert (result.code, result.out, result.error) == (2, "", f"error: {MISSING}\n")


def test_export_without_the_values_says_that_the_run_does_not_keep_them(here):
    values = {f"CHATFORGE_CONFIG_{name}": "1" for name in ("OWNER", "LIMIT", "SHARE", "CITY")}
    run = json.loads(here("run", "flows/one.yaml", "--json", **values).out)
    result = here("runs", "export", run["id"], "--as-test", **WRONG)
    kept = "the test needs the flow's config, which the run does not keep: set it and export again"
    assert (result.code, result.out, result.error) == (2, "", f"error: {kept}; {MISSING}\n")
    assert here("runs", "export", run["id"], "--as-test", **values).code == 0
