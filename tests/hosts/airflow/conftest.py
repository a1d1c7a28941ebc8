"""A real Airflow with a database of its own, and the sandbox behind it."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.sandbox import Sandbox
from connector.sandbox.server import running

HERE = Path(__file__).parent
BIN = HERE.parents[2] / ".hosts" / "airflow" / "bin"


@dataclass
class Airflow:
    home: Path
    sandbox: Sandbox
    key: str = ""
    log: str = ""
    """What its commands have printed."""
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        connection = {
            "conn_type": "chatforge",
            "password": self.key or self.sandbox.api_key,
            "host": self.sandbox.url,
        }
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
            "AIRFLOW_CONN_CHATFORGE_DEFAULT": json.dumps(connection),
            "CHATFORGE_BUDGET_FILE": str(self.home / "budget.sqlite"),
            **self.more,
        }

    def command(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            [*arguments], cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=180
        )
        self.log += done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, dag_id: str) -> dict[str, Any]:
        """The states and outputs of the DAG's tasks, run in a process of its own."""
        printed = self.command(BIN / "python", HERE / "run_dag.py", self.home / "dags" / "chatforge.py", dag_id)
        lines = [line for line in printed.splitlines() if line.startswith("RESULT ")]
        assert lines, printed
        found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
        return found

    def visit(self, email: str, created_at: str = "2026-03-25T10:30:00Z") -> str:
        """A lead of which no webhook tells; the conversation's id."""
        lead = {"visitor_email": email, "webhook": False, "created_at": created_at}
        return str(httpx.post(f"{self.sandbox.control_url}/visitors", json=lead).json()["conversation_id"])

    def break_api(self, **fault: Any) -> None:
        answer = httpx.post(f"{self.sandbox.control_url}/faults", json={"times": 9, **fault})
        assert answer.status_code == 201, answer.text

    def asset_events(self) -> list[str]:
        """The e-mails of the leads of which asset events tell, in the order in which they were stored."""
        with sqlite3.connect(self.home / "airflow.db") as database:
            rows = database.execute("SELECT extra FROM asset_event ORDER BY id").fetchall()
        return [json.loads(extra)["payload"]["lead"]["visitor_email"] for (extra,) in rows]

    @contextmanager
    def started(self, *parts: str) -> Iterator[None]:
        """These parts of Airflow, killed at the end without a chance to finish anything."""
        with open(self.home / "parts.log", "a") as log:
            processes = [
                subprocess.Popen(
                    [BIN / "airflow", part],
                    cwd=self.home,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for part in parts
            ]
            try:
                yield
            finally:
                for process in processes:
                    os.killpg(process.pid, 9)
                    process.wait()

    def logs(self) -> str:
        files = [self.home / "parts.log", *(self.home / "logs").rglob("*.log")]
        return self.log + "".join(file.read_text(errors="replace") for file in files if file.exists())


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow")
    environment = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    subprocess.run([BIN / "airflow", "db", "migrate"], env=environment, check=True, capture_output=True, timeout=300)
    return home


@pytest.fixture
def airflow(tmp_path: Path, migrated: Path) -> Iterator[Airflow]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(migrated / "airflow.db", home)
    shutil.copytree(HERE / "dags", home / "dags")
    with running() as sandbox:
        made = Airflow(home, sandbox)
        yield made
        assert sandbox.api_key not in made.logs()
