"""A flow that runs each action of ACTIONS, whatever comes of it, and writes what did."""

import json
import os
from pathlib import Path

from prefect import flow

from connector.hosts.prefect.actions import make_task
from connector.hosts.prefect.credentials import ChatForgeCredentials


@flow
def actions() -> None:
    found = []
    account = ChatForgeCredentials.load("main")
    for action, given in json.loads(os.environ["ACTIONS"]):
        task = make_task(action, retries=1, retry_delay_seconds=0)
        state = task(account, given, return_state=True)
        output = state.result(raise_on_failure=False)
        failed = state.is_failed()
        kind, said = (type(output).__name__, str(output)) if failed else (None, None)
        found.append({"failed": failed, "output": None if failed else output, "kind": kind, "said": said})
    Path(os.environ["RESULT"]).write_text(json.dumps(found))


actions()
