"""A flow that says who came; with DIE_AT it is killed while it has that lead in its hands."""

import os
import signal

from prefect import flow

from connector.hosts.prefect.credentials import ChatForgeCredentials
from connector.hosts.prefect.leads import new_leads


@flow
def leads() -> None:
    for found in new_leads(ChatForgeCredentials.load("main"), "leads"):
        print(f"came: {found['lead']['visitor_name']}", flush=True)
        if found["lead"]["visitor_name"] == os.environ.get("DIE_AT"):
            os.kill(os.getpid(), signal.SIGKILL)


leads()
