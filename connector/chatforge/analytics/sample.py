"""One answer of Get Analytics, as it is kept."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from connector.chatforge.models import Analytics, Counts

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted at `at`. The first three numbers are of `month` (`YYYY-MM`) and begin anew with it.

    None is what the answer lacked.
    """

    at: datetime
    month: str
    conversations: int | None
    leads: int | None
    messages: int | None
    all_conversations: int | None
    all_leads: int | None

    @property
    def begins(self) -> datetime:
        """The month's first moment in UTC; in which time zone the vendor's months begin is not documented."""
        return datetime(int(self.month[:4]), int(self.month[5:]), 1, tzinfo=UTC)


def read_sample(answer: Analytics, now: datetime) -> Sample:
    """An answer without a month, or with one that is none, counts as one of the month that it is in UTC."""
    conversations, leads = answer.conversations or Counts(), answer.leads or Counts()
    told = answer.month or ""
    return Sample(
        at=now.astimezone(UTC).replace(microsecond=0),
        month=told if _MONTH.fullmatch(told) and told >= "0002" else f"{now.astimezone(UTC):%Y-%m}",
        conversations=_number(conversations.this_month),
        leads=_number(leads.this_month),
        messages=_number(answer.messages_this_month),
        all_conversations=_number(conversations.total),
        all_leads=_number(leads.total),
    )


def _number(value: int | None) -> int | None:
    """What is no count is as missing."""
    return value if value is not None and 0 <= value <= _LARGEST else None
