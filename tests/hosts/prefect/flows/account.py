"""Keeps the account of KEY and URL as the block `main`, and checks it."""

import os

from connector.errors import ConnectorError
from connector.hosts.prefect.credentials import ChatForgeCredentials

account = ChatForgeCredentials(api_key=os.environ["KEY"], base_url=os.environ["URL"])
account.save("main", overwrite=True)
print(repr(ChatForgeCredentials.load("main")))
try:
    print(f"agents: {len(account.check()['agents'])}")
except ConnectorError as error:
    print(account.told(error))
