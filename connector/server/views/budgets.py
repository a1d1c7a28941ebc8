"""How much of its rate limit each connection uses."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from connector.errors import ConnectorError
from connector.server.site import Site
from connector.server.views.connections import names_of


class Budget(BaseModel):
    """Requests of a connection with a rate limit."""

    connection: str
    used: int = Field(description="In the last minute, of all processes of this machine that share the account.")
    limit: int = Field(description="In a minute.")


async def find(site: Site) -> Sequence[Budget]:
    """Of each connection that has a rate limit and all that it needs."""
    found = []
    for connector, name in names_of(site):
        try:
            use = await site.adapter.budget_use(connector, name)
        except ConnectorError:  # it lacks something, which the page of connections says
            continue
        if use is not None:
            found.append(Budget(connection=f"{connector}/{name}", used=use.used, limit=use.limit))
    return found
