"""The DAGs of docs/airflow.md are read by Airflow."""

import re
from pathlib import Path

import pytest
from hosts.airflow.conftest import BIN

PAGE = (Path(__file__).parents[3] / "docs" / "airflow.md").read_text()

pytestmark = pytest.mark.hosts


def test_dags_of_the_page_are_read(airflow):
    for number, text in enumerate(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)):
        (airflow.home / "dags" / f"page{number}.py").write_text(text)
        airflow.command(BIN / "python", airflow.home / "dags" / f"page{number}.py")
    assert "Traceback" not in airflow.log
