"""A ChatForge to develop against: the documented API, signed webhooks, and controls to provoke what goes wrong.

It is written from the vendor's reference alone and shares no code with the rest of this package, so a
misreading on one side does not hide behind the same misreading on the other.
"""

from connector.sandbox.app import create_app
from connector.sandbox.sandbox import Sandbox
from connector.sandbox.settings import (
    AGENT_ID,
    API_KEY,
    OTHER_AGENT_ID,
    OTHER_API_KEY,
    SMALL_PLAN_KEY,
    WEBHOOK_SECRET,
    InvalidSettingError,
    SandboxSettings,
)
from connector.sandbox.storage import StorageError

__all__ = [
    "AGENT_ID",
    "API_KEY",
    "OTHER_AGENT_ID",
    "OTHER_API_KEY",
    "SMALL_PLAN_KEY",
    "WEBHOOK_SECRET",
    "InvalidSettingError",
    "Sandbox",
    "SandboxSettings",
    "StorageError",
    "create_app",
]
