"""What takes long is said on the terminal, and nowhere else."""

import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

from loopback import Reply, Request, serving

from connector.cli.progress import SHOW_AFTER

AGENTS = {"agents": []}
CALL = [sys.executable, "-m", "connector", "call", "chatforge.list_agents"]


def start(folder: Path, url: str, stderr: int) -> "subprocess.Popen[str]":
    environment = {"CHATFORGE_BASE_URL": url, "CHATFORGE_API_KEY": "cf_key", "XDG_STATE_HOME": str(folder)}
    return subprocess.Popen(
        CALL,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def test_terminal_says_what_is_waited_for_while_the_output_goes_elsewhere(tmp_path):
    said = threading.Event()

    def answer(_request: Request) -> Reply:
        assert said.wait(30)  # the other side answers once the terminal has said it
        return Reply(AGENTS)

    ours, theirs = pty.openpty()
    with serving(answer) as served:
        process = start(tmp_path, served.url, theirs)
        os.close(theirs)
        shown = b""
        while b"waits for chatforge.list_agents" not in shown:
            shown += os.read(ours, 4096)
        said.set()
        out, _ = process.communicate(timeout=30)
    os.close(ours)
    assert (process.returncode, json.loads(out)) == (0, AGENTS)


def test_pipe_gets_nothing_of_it(tmp_path):
    def answer(_request: Request) -> Reply:
        time.sleep(SHOW_AFTER + 0.3)
        return Reply(AGENTS)

    with serving(answer) as served:
        out, error = start(tmp_path, served.url, subprocess.PIPE).communicate(timeout=30)
    assert (json.loads(out), error) == (AGENTS, "")
