"""What an editor with yaml-language-server makes of `chatforge schema`."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from editor.language_server import LanguageServer, running

pytestmark = pytest.mark.editor

ROOT = Path(__file__).parents[2]
DOCUMENTED = [path for path in sorted((ROOT / "docs" / "flows").glob("*.yaml")) if not path.stem.endswith(".test")]
LINE = "# yaml-language-server: $schema=./flow.schema.json\n"
HEAD = f"{LINE}flow: leads\ntrigger:\n  uses: chatforge.lead_captured\nsteps:\n  - id: contact\n"


class Opened:
    """A file in the editor; `|` is where the cursor stands."""

    def __init__(self, server: LanguageServer, path: Path, text: str) -> None:
        before, _, after = text.partition("|")
        path.write_text(before + after, "utf-8")
        self.place = before.count("\n"), len(before.rpartition("\n")[2])
        self.diagnostics = server.open(path)
        self._server = server

    def completions(self) -> dict[str, str]:
        return self._server.completions(*self.place)

    def hover(self) -> str:
        return self._server.hover(*self.place)

    def marks(self) -> list[tuple[int, str]]:
        """Line, counted from 1 and without the first, and message of each diagnostic."""
        return [(one["range"]["start"]["line"], one["message"]) for one in self.diagnostics]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flows")
    command = [sys.executable, "-m", "connector", "schema", "-o", str(made / "flow.schema.json")]
    subprocess.run(command, check=True, cwd=made)
    return made


@pytest.fixture(scope="module")
def server(modules: Path) -> Iterator[LanguageServer]:
    with running(modules) as started:
        yield started


@pytest.fixture
def edit(server: LanguageServer, folder: Path) -> Callable[[str], Opened]:
    return lambda text: Opened(server, folder / f"{len([*folder.iterdir()])}.yaml", text)


CALL = f"{HEAD}    uses: contacts.upsert\n"
SWITCH = f"{HEAD}    switch:\n      cases:\n        poll:\n          - id: b\n            uses: contacts.upsert\n"
INPUTS = ["email", "phone", "external_id", "name", "note", "properties"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{CALL}    with:\n      |\n", INPUTS),
        (f"{CALL}    with:\n      email: ann@example.com\n      |\n", INPUTS[1:]),
        (f"{LINE}trigger:\n  uses: chatforge.event\n  with:\n    |\n", ["events", "agent_id"]),
        (f"{HEAD}    wait_for:\n      uses: chatforge.event\n      with:\n        |\n", ["events", "agent_id"]),
        (f"{SWITCH}            with:\n              |\n", INPUTS),
        (f"{HEAD}    on_ambiguous: |\n", ["hold", "skip", "retry"]),
    ],
    ids=["of an action", "beside others", "of a trigger", "of a wait", "in a switch", "words"],
)
def test_editor_offers_what_may_stand_there(edit, text, names):
    assert [*edit(text).completions()] == names


def test_editor_offers_inputs_with_their_descriptions(edit):
    assert edit(f"{CALL}    with:\n      |\n").completions()["email"] == "Compared without regard to case."


def test_editor_offers_actions_with_their_descriptions(edit):
    offered = edit(f"{HEAD}    uses: |\n").completions()
    assert offered["contacts.list"] == "List contacts. List the contacts, oldest first."


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (f"{CALL}    with:\n      mail: ann@example.com\n", 8, "Property mail is not allowed."),
        (f"{CALL}    with:\n      email: 5\n", 8, "Incorrect type. Expected one of string, null."),
        (f"{HEAD}    uses: chatforge.get_agent\n    with: {{}}\n", 7, 'Missing property "agent_id".'),
        (f"{CALL}    wait: 5m\n", 7, "Property wait is not allowed."),
        (f"{CALL}    if: ${{{{ a }}}}\n", 7, "an expression stands here by itself, without ${{ }}"),
        (f"{CALL}    timeout: 0s\n", 7, "expected a duration such as 500ms, 2s, 5m, 1h or 30d"),
        (f"{HEAD}    uses: flow.greet\n    timeout: 5m\n", 7, "Property timeout is not allowed."),
    ],
    ids=lambda value: value.splitlines()[-1].strip() if isinstance(value, str) and "\n" in value else "",
)
def test_editor_marks_a_mistake_in_its_line(edit, text, line, message):
    assert edit(text).marks() == [(line, message)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{CALL}    with:\n      em|ail: a\n", "Compared without regard to case."),
        (f"{CALL}    re|try: {{max_attempts: 5}}\n", "How often a failed call is tried again; pauses double."),
        (f"{LINE}trig|ger: {{uses: manual}}\n", "What starts the flow; its event is read as"),
        (f"{HEAD}    uses: contacts.up|sert\n", "`contacts.upsert`: Create or update contact."),
    ],
    ids=["an input", "a key of a step", "a key of the flow", "an action"],
)
def test_editor_explains_what_the_pointer_is_on(edit, text, shown):
    assert shown in edit(text).hover()


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_editor_marks_nothing_in_a_sound_flow(edit, path):
    assert edit(LINE + path.read_text()).marks() == []
