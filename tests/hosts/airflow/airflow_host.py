"""The real Airflow, from the environment that `make test-airflow` installs, with a database of its own in a folder."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from connector.sandbox import Sandbox

HOST = Path(__file__).parents[3] / ".hosts" / "airflow"
TEMPLATE = HOST / "template"
DAGS = Path(__file__).with_name("dags")
PATIENCE = 90.0
FERNET_KEY = "c2l4dGVlbiBieXRlcyAtIHNpeHRlZW4gYnl0ZXMhISE="


@dataclass
class Airflow:
    """Settings and processes over one database. The connection `chatforge_default` is the sandbox's account."""

    folder: Path
    sandbox: Sandbox
    key: str = ""
    dags: Path = DAGS
    port: int = 0
    more: dict[str, str] = field(default_factory=dict)
    served: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        account = {"conn_type": "chatforge", "password": self.key or self.sandbox.api_key, "host": self.sandbox.url}
        return settings(self.folder) | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW_CONN_CHATFORGE_DEFAULT": json.dumps(account),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "CHATFORGE_BUDGET_FILE": str(self.folder / "budget.sqlite"),
            **self.more,
        }

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """A process of Airflow in a group of its own."""
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [str(HOST / "bin" / "airflow"), *command],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def call(self, *command: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """A command of Airflow's environment, to its end."""
        return subprocess.run(
            [str(HOST / "bin" / command[0]), *command[1:]],
            env=self.environment | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def run_actions(self, *given: tuple[str, Mapping[str, Any], Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A task with options for each action and input, one after the other: its state, tries and output."""
        result = self.folder / "result.json"
        done = self.call("python", str(DAGS / "actions.py"), ACTIONS=json.dumps(given), RESULT=str(result))
        with (self.folder / "actions.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr[-2000:]
        found: list[dict[str, Any]] = json.loads(result.read_text())
        return found

    def logs(self) -> str:
        """All that was written to logs, of processes and of tasks."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.folder.rglob("*.log")))

    @contextmanager
    def serving(self) -> Iterator[httpx.Client]:
        """The API, the scheduler and what reads DAGs; not the triggerer. Gives a client of the API."""
        self.port = free_port()
        with ExitStack() as stack:
            for command in (
                ("api-server", "--host", "127.0.0.1", "--port", str(self.port)),
                ("scheduler",),
                ("dag-processor",),
            ):
                self.served[command[0]] = self.start(*command)
                stack.callback(stop, self.served[command[0]])
            address = f"http://127.0.0.1:{self.port}"
            client = stack.enter_context(httpx.Client(base_url=f"{address}/api/v2", timeout=30))
            token = wait_for(lambda: httpx.get(f"{address}/auth/token", timeout=10).json()["access_token"])
            client.headers["Authorization"] = f"Bearer {token}"
            yield client


def settings(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-tests-on-the-loopback-only-0123456789",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        # A triggerer takes over what another one had when that has not been heard of for so many seconds.
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    }


def stop(process: "subprocess.Popen[bytes]") -> None:
    """At once, with its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(look: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `look` gives, as soon as it is something."""
    end = time.monotonic() + patience
    while True:
        with suppress(httpx.HTTPError, KeyError, ValueError):
            if found := look():
                return found
        if time.monotonic() > end:
            raise TimeoutError(f"nothing came within {patience} s")
        time.sleep(0.2)


def make(folder: Path, sandbox: Sandbox) -> Airflow:
    """With a copy of the database that `make test-airflow` has made."""
    shutil.copytree(TEMPLATE, folder, dirs_exist_ok=True)
    return Airflow(folder, sandbox)


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> None:
    """Make the database that all others are copies of."""
    shutil.rmtree(TEMPLATE, ignore_errors=True)
    TEMPLATE.mkdir(parents=True)
    with (HOST / "migrate.log").open("wb") as log:
        command = [str(HOST / "bin" / "airflow"), "db", "migrate"]
        done = subprocess.run(command, env=settings(TEMPLATE), cwd=TEMPLATE, stdout=log, stderr=log)
    if done.returncode:
        sys.exit(f"Airflow cannot make its database; see {HOST / 'migrate.log'}")
    (TEMPLATE / "airflow.cfg").unlink()  # names this folder; each copy writes its own
    (TEMPLATE / "made").touch()


if __name__ == "__main__":
    main()
