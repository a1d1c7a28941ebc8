"""The page, and what it asks for: a chat, what the visitor says, the e-mail that the visitor leaves."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from connector.sandbox.answers import answer
from connector.sandbox.fields import Fields
from connector.sandbox.records import Visitor
from connector.sandbox.refusals import not_found
from connector.sandbox.sandbox import Sandbox

_HERE = Path(__file__).parent
_FILES = {"": "text/html", "chat.css": "text/css", "chat.js": "text/javascript"}
_REPLY = "Thank you! Somebody of our team knows best. Leave your e-mail, and you will hear from them here."
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Chat:
    """The visitor's side of the first account's first agent."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        return [
            *(Route(f"/{name}", self._file, methods=["GET"]) for name in _FILES),
            Route("/chat", self.begin, methods=["POST"]),
            Route("/chat/{conversation_id}/messages", self.say, methods=["POST"]),
            Route("/chat/{conversation_id}/lead", self.leave, methods=["POST"]),
        ]

    async def _file(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        if name not in _FILES:
            raise not_found("file", name)
        return FileResponse(_HERE / (name or "chat.html"), media_type=_FILES[name], headers=_HEADERS)

    async def begin(self, _request: Request) -> Response:
        """POST /chat → {conversation_id}, with the welcome of the agent."""
        agent_id = self._sandbox.agent_id
        conversation = self._sandbox.find_account(agent_id).start_conversation(agent_id, Visitor())
        self._sandbox.storage.commit()
        return answer({"conversation_id": conversation.id}, 201)

    async def say(self, request: Request) -> Response:
        """POST /chat/{id}/messages {content} → {}; the agent answers at once."""
        fields = Fields(await request.body())
        fields.only("content")
        account, conversation = self._sandbox.find_conversation(request.path_params["conversation_id"])
        account.add_message(conversation, "user", fields.required_text("content"))
        account.add_message(conversation, "assistant", _REPLY)
        self._sandbox.storage.commit()
        return answer({}, 201)

    async def leave(self, request: Request) -> Response:
        """POST /chat/{id}/lead {visitor_email?, visitor_name?, visitor_phone?} → {lead_id}; the webhook goes out."""
        fields = Fields(await request.body())
        fields.only("visitor_email", "visitor_name", "visitor_phone")
        given = {name: fields.text(f"visitor_{name}") or None for name in ("email", "name", "phone")}
        lead = self._sandbox.leave(request.path_params["conversation_id"], Visitor(**given))
        return answer({"lead_id": lead.id}, 201)
