"""docs/plugins.md shows the sample plugin as it is, and every check of the suite."""

import inspect
import re
from pathlib import Path

import pytest

from connector.testing import PluginContract

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text()
SAMPLE = "\n".join(
    (ROOT / "tests" / "sample_plugin" / name).read_text()
    for name in ("pyproject.toml", "greetings.py", "tests/test_greetings.py")
)


@pytest.mark.parametrize("code", re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, re.DOTALL))
def test_shown_code_is_that_of_the_sample(code):
    assert code in SAMPLE


def test_every_check_is_described():
    checks = {name for name, _ in inspect.getmembers(PluginContract, inspect.isfunction) if name.startswith("test_")}
    assert set(re.findall(r"^\| `(test_\w+)`", PAGE, re.MULTILINE)) == checks
