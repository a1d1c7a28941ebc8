import logging

import pytest


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What fails in thousands of worlds is not worth a line."""
    caplog.set_level(logging.CRITICAL + 1, "connector")
