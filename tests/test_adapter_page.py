"""The program of docs/adapter.md prints what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

PAGE = (Path(__file__).parents[1] / "docs" / "adapter.md").read_text()


def test_program_of_the_page_prints_what_it_shows(tmp_path, sandbox):
    httpx.post(f"{sandbox.control_url}/visitors", json={"visitor_email": "ann@example.com", "webhook": False})
    program = tmp_path / "program.py"
    program.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)))
    shown = "".join(re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL))
    environment = {
        "PATH": os.environ["PATH"],
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
        "CHATFORGE_BUDGET_FILE": str(tmp_path / "budget.sqlite"),
    }
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert re.fullmatch(re.escape(shown).replace("…", ".*"), done.stdout), done.stdout
