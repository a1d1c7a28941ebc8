"""`make demo-crm`, and with it the flow of docs/flows/recipes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.crm
TESTS = Path(__file__).parents[1]


def test_demo_shows_the_lead_as_tryton_has_it():
    done = subprocess.run([sys.executable, "-m", "crm.demo"], cwd=TESTS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.partition("What Tryton has")[2].split()
    assert " ".join(shown).startswith(
        "party 3 John Smith email john@example.com phone +1 480-555-1234 "
        "opportunity 1 Chat with John Smith state lead comment Asked about estate planning services"
    )
