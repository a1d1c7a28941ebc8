"""The sample plugin: installed as a user would, copies of it with changes, and the double of its service."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[1] / "sample_plugin"
KEY = "card-key-4711"
WEBHOOK_SECRET = "card-hook-0815"
FLOW = """\
flow: thank-the-reader
trigger:
  uses: greetings.card_opened
  connection: cards
steps:
  - id: thanks
    uses: greetings.send_card
    connection: cards
    with:
      to: ${{ trigger.by }}
      text: Thank you for reading ${{ trigger.card_id }}.
outputs:
  card: ${{ steps.thanks.id }}
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Installed:
    """A folder with plugins, for the PYTHONPATH of a process."""

    site: Path
    folder: Path
    """Where commands run."""

    def environment(self, **values: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
            **values,
        }

    def python(self, *arguments: object, **environ: str) -> Result:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment(**environ),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def chatforge(self, *arguments: object, **environ: str) -> Result:
        return self.python("-m", "connector", *arguments, **environ)


def copy_to(site: Path, source: str, name: str = "greetings", point: str = "greetings") -> None:
    """What an installation of the package leaves in a folder."""
    site.mkdir(exist_ok=True)
    (site / f"{name}.py").write_text(source)
    information = site / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[connector.plugins]\n{point} = {name}\n")


def change(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def install_changed(tmp_path: Path) -> Callable[..., Installed]:
    """install_changed((old, new), …) → the sample package with these texts replaced."""

    def install(*changes: tuple[str, str]) -> Installed:
        copy_to(tmp_path / "site", change((SAMPLE / "greetings.py").read_text(), *changes))
        (tmp_path / "flow.yaml").write_text(FLOW)
        return Installed(tmp_path / "site", tmp_path)

    return install


@pytest.fixture
def add_package() -> Callable[..., None]:
    """add_package(installed, name, point) → the sample package once more, under another name."""

    def add(installed: Installed, name: str, point: str) -> None:
        copy_to(installed.site, (SAMPLE / "greetings.py").read_text(), name, point)

    return add


@pytest.fixture
def run_contract(tmp_path: Path, install_changed: Callable[..., Installed]) -> Callable[..., Result]:
    """run_contract((old, new), …, test=[(old, new), …]) → pytest on the changed package's own tests."""

    def run(*changes: tuple[str, str], test: list[tuple[str, str]] | None = None) -> Result:
        installed = install_changed(*changes)
        shutil.copytree(SAMPLE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(SAMPLE / "pyproject.toml", tmp_path)
        path = tmp_path / "tests" / "test_greetings.py"
        path.write_text(change(path.read_text(), *(test or [])))
        return installed.python(
            *"-m pytest -p no:cacheprovider -p no:xdist -p no:schemathesis -W error -q --show-capture=no -rfs".split(),
            COLUMNS="500",
        )

    return run


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample package as pip installs it."""
    folder = tmp_path_factory.mktemp("pip")
    source = shutil.copytree(SAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [*pip, "--target", folder / "site", source], env=environ, capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="session")
def double() -> ModuleType:
    """The module of the sample package's tests that stands in for its service."""
    spec = importlib.util.spec_from_file_location("card_service", SAMPLE / "tests" / "card_service.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cards(double: ModuleType) -> Iterator[Any]:
    """The double of the card service, with seven cards."""
    with double.running(KEY, cards=7) as service:
        yield service


@pytest.fixture
def installed(tmp_path: Path, site: Path, cards: Any) -> Installed:
    """The package from pip, and a folder with a flow and a connection to the double."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    values = {"address": cards.url, "key": "{env: CARDS_KEY}", "webhook_secret": "{env: CARDS_HOOK}"}
    entry = {"connector": "greetings", **values}
    (tmp_path / "connections.yaml").write_text("cards:\n" + "".join(f"  {key}: {entry[key]}\n" for key in entry))
    return Installed(site, tmp_path)


@pytest.fixture
def secrets() -> Mapping[str, str]:
    """The variables that the connection names."""
    return {"CARDS_KEY": KEY, "CARDS_HOOK": WEBHOOK_SECRET}
