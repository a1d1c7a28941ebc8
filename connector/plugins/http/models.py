"""What `http.request` takes and gives."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connector.marks import PERSONAL

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
Scalar = str | int | float | bool | None


class Paging(BaseModel):
    """How a list that comes in pages is read. Expressions see `status`, `headers` and `body` of a page, and `count`,
    the number of items so far."""

    model_config = ConfigDict(extra="forbid")

    items: str = Field(description="An expression for the list of a page: body.results")
    next: str = Field(description="An expression for what asks for the next page, null on the last one.")
    parameter: str | None = Field(
        None, description="The parameter of the query that gets the value of `next`; without it that is an address."
    )
    most: int = Field(10, ge=1, le=100, description="Pages that are read at most; more of them fail the step.")


class HttpRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    method: Method = "GET"
    url: str = Field(description="What stands behind the connection's address: /contacts/{id}")
    path: dict[str, str | int] = Field(default_factory=dict, description="The values of {…} in `url`.")
    query: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict, description="Null leaves one out.")
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(None, description="JSON, the fields of a form, or a text.")
    body_type: Literal["json", "form", "text"] = "json"
    omit_null: bool = Field(False, description="Whether fields of a JSON body that are null are left out.")
    output_schema: dict[str, Any] | None = Field(
        None, description="The JSON Schema of the answer's body; with `paging`, of one item."
    )
    success: str | None = Field(
        None, description="An expression over status, headers and body; a 2xx status without it."
    )
    paging: Paging | None = None
    effect: Literal["read", "idempotent", "once", "destructive"] | None = Field(
        None, description="What repeating the request does; read for GET and HEAD, else once."
    )
    idempotency_header: str | None = Field(
        None, description="The header by which the service recognises a repeated request: Idempotency-Key"
    )


class Answer(BaseModel):
    status: int
    headers: Annotated[dict[str, str], PERSONAL] = Field(description="Their names are in lower case.")
    body: Annotated[Any, PERSONAL] = Field(
        description="What the JSON says, or the text; with `paging`, the items of all pages."
    )
