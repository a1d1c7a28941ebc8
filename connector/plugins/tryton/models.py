"""What the actions take and give."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.marks import PersonalText
from connector.plugins.tryton.matching import is_searchable

_LONGEST = 254  # RFC 5321, 4.5.3.1.3, without the angle brackets


class CheckConnection(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CheckedConnection(BaseModel):
    company: str = Field(description="The name of the connection's company.")
    currency: str = Field(description="The code of its currency: USD")


class Keys(BaseModel):
    """What a party is found by, in this order: e-mail, phone.

    A party that has e-mails, but not the given one, is another person: two may share a phone.
    """

    model_config = ConfigDict(extra="forbid")

    email: str | None = Field(None, description="Compared without regard to case.")
    phone: str | None = Field(None, description="Compared by its digits and a leading +.")

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        email, phone = self.email or "", self.phone or ""
        if not (email.strip() or is_searchable(phone)):
            raise ValueError("give an e-mail, or a phone of at least 5 digits")
        # Not a `max_length` of the fields: with one, pydantic refuses lone surrogates.
        if (longest := max(len(email), len(phone))) > _LONGEST:
            raise ValueError(f"{longest} characters are no e-mail and no phone; {_LONGEST} are the most")
        return self


class UpsertParty(Keys):
    name: str | None = Field(
        None, description="Replaces no other name than an e-mail of the party; the e-mail or phone without it."
    )


class UpsertedParty(BaseModel):
    id: int
    created: bool = Field(description="True where there was no such party before.")
    name: PersonalText
    email: PersonalText = Field(description="The given one as Tryton has it, or the party's first.")
    phone: PersonalText = Field(description="The given one as Tryton has it, or the party's first.")


class Party(BaseModel):
    id: int
    code: str = Field(description="The number that people see.")
    name: PersonalText
    email: PersonalText = Field(description="The first one.")
    phone: PersonalText = Field(description="The first one.")


class FoundParty(BaseModel):
    party: Party | None


class CreateOpportunity(BaseModel):
    model_config = ConfigDict(extra="forbid")

    party: int = Field(ge=1, description="The id of a party.")
    description: str = Field(description="One line; what people see in the list.")
    amount: float | None = Field(None, description="The expected revenue, in the company's currency.")
    comment: str | None = Field(None, description="May have many lines.")


class CreatedOpportunity(BaseModel):
    id: int
    number: str = Field(description="What people see.")
