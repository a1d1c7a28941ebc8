"""One attempt of an action: its input, its clock, and what becomes of whatever it raises."""

import asyncio
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from connector import exchanges
from connector.accounts import Account
from connector.declare import Action, ActionContext
from connector.errors import ActionError, ConnectorError, OutputError, StepTimeoutError, StoreError
from connector.exchanges import Exchange
from connector.transport import Budget, Purpose, Slot
from connector.validation import write


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of an action that may send now."""

    action: Action
    input: BaseModel
    context: ActionContext[Any]
    _account: Account = field(repr=False)
    _budget: "PausingBudget" = field(repr=False)
    _exchanges: deque[Exchange] = field(repr=False)

    def requests(self) -> list[dict[str, Any]]:
        """The last requests that it has made, as `exchanges.describe` gives them, without secrets of the connection."""
        return [exchanges.describe(one, self._account.hide_secrets) for one in self._exchanges]

    async def send(self, seconds: float | None = None) -> dict[str, Any]:
        """Run the action; the output is plain JSON. Raises ActionError, and StoreError where nothing can be kept.

        After `seconds` it is a StepTimeoutError; waits for the budget do not count.
        """
        try:
            async with asyncio.timeout(seconds) as limit:
                self._budget.timeout = limit
                output = await self.action.run(self.input, self.context)
        except TimeoutError as error:
            if not limit.expired():
                reason = self._describe(error)
            else:
                message = f"{self.action.name} did not finish within its timeout of {seconds:g} s"
                raise StepTimeoutError(message, processed="unknown", transient=True) from None
        except StoreError:
            raise
        except ActionError as error:
            error.args = (self._account.hide_secrets(str(error)),)
            raise
        except Exception as error:  # a fault in a plugin; nobody knows how far it came
            reason = self._describe(error)
        else:
            return self._read_output(output)
        raise ActionError(reason, processed="unknown")  # only now: as its context, the first one may show a secret

    def _describe(self, error: Exception) -> str:
        if isinstance(error, ConnectorError):
            return self._account.hide_secrets(str(error))
        trace = "".join(traceback.format_exception(error)).rstrip()
        self.context.log.error("%s", self._account.hide_secrets(trace))
        return self._account.hide_secrets(f"{self.action.name} failed unexpectedly: {type(error).__name__}: {error}")

    def _read_output(self, output: object) -> dict[str, Any]:
        try:
            plain = write(self.action.output, output)
        except (TypeError, ValueError) as error:
            reason = self._account.hide_secrets(" ".join(str(error).split()))
        else:
            # An answer that repeats the key must not carry it into a journal.
            return dict(hide(plain, self._account))
        raise OutputError(f"{self.action.name} returned what it does not declare: {reason}", processed="unknown")


def hide(value: Any, account: Account) -> Any:
    """The value without the account's secrets in its texts and names."""
    if isinstance(value, str):
        return account.hide_secrets(value)
    if isinstance(value, dict):
        return {account.hide_secrets(name): hide(item, account) for name, item in value.items()}
    return [hide(item, account) for item in value] if isinstance(value, list) else value


@dataclass(slots=True)
class PausingBudget:
    """A budget whose waits stop the clock of the call that waits."""

    budget: Budget | None
    timeout: asyncio.Timeout | None = None

    @property
    def limit(self) -> int:
        return self._inner.limit

    async def used(self) -> int:
        return await self._inner.used()

    @property
    def _inner(self) -> Budget:
        assert self.budget is not None  # noqa: S101 - it is handed on only where there is one
        return self.budget

    async def aclose(self) -> None:
        """The budget belongs to the account."""

    async def take(self, purpose: Purpose) -> Slot:
        end = self.timeout.when() if self.timeout else None
        if self.timeout is None or end is None:
            return await self._inner.take(purpose)
        now = asyncio.get_running_loop().time
        left = end - now()
        self.timeout.reschedule(None)
        try:
            return await self._inner.take(purpose)
        finally:
            self.timeout.reschedule(now() + left)
