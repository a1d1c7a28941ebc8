"""The pages over HTTP: as HTML for people, as JSON below /api, and what people change with them."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.errors import ConnectorError, StoreError
from connector.runs.decisions.interventions import RefusedError
from connector.server import metrics
from connector.server.access import COOKIE, TOKEN_HEADER, Access, Asking, DeniedError, Visitor, require_own
from connector.server.bodies import read_form, read_object
from connector.server.changes import CHANGES
from connector.server.live import Live
from connector.server.openapi import describe
from connector.server.pages import Change, Download, FormError, Page, Params
from connector.server.rendering import STATIC, make_environment
from connector.server.site import Site
from connector.server.views import (
    analytics,
    connections,
    events,
    files,
    flows,
    home,
    operations,
    retries,
    run,
    runs,
    tests,
)
from connector.validation import sentence

log = logging.getLogger(__name__)

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *runs.PAGES,
    *run.PAGES,
    *retries.PAGES,
    *tests.PAGES,
    *events.PAGES,
    *files.PAGES,
    *flows.PAGES,
    *operations.PAGES,
    *analytics.PAGES,
    *connections.PAGES,
)
_FILES = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Answer = Callable[[Request, Visitor], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Web:
    site: Site
    access: Access
    live: Live
    environment: Environment = field(default_factory=make_environment)

    def routes(self) -> list[Route]:
        shown = [route for page in PAGES for route in self._page(page)]
        loaded = [self._download(download) for download in tests.DOWNLOADS]
        changed = [route for change in CHANGES for route in self._change(change)]
        return [
            Route("/static/{name}", self._static, methods=["GET"]),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._guarded(self._logout), methods=["POST"]),
            Route("/api/openapi.json", self._guarded(self._openapi), methods=["GET"]),
            Route("/metrics", self._guarded(self._metrics), methods=["GET"]),
            Route("/changes", self._guarded(self._changes), methods=["GET"]),
            Route("/api/token", self._guarded(self._token), methods=["GET"]),
            *loaded,
            *shown,
            *changed,
        ]

    def _page(self, page: Page) -> list[Route]:
        async def as_html(request: Request, visitor: Visitor) -> Response:
            wanted, found = await self._show(page, request)
            return self._html(page.template, request, visitor, shown=found, wanted=wanted, title=page.title)

        async def as_json(request: Request, _visitor: Visitor) -> Response:
            _, found = await self._show(page, request)
            return _json(found)

        api = f"/api{page.path}" if page.path != "/" else "/api/home"
        return [
            Route(page.path, self._guarded(as_html), methods=["GET"]),
            Route(api, self._guarded(as_json), methods=["GET"]),
        ]

    async def _show(self, page: Page, request: Request) -> tuple[Params, BaseModel]:
        """What is wanted, and what the page shows. Raises DeniedError."""
        wanted = _read(page.params, request.query_params, request.path_params)
        if page.asks(wanted):
            require_own(_asking(request))
        found = await page.read(self.site, wanted)
        if found is None:
            raise _missing(page.title, request)
        return wanted, found

    def _download(self, download: Download) -> Route:
        async def as_file(request: Request, _visitor: Visitor) -> Response:
            found = await download.read(self.site, _read(download.params, request.query_params, request.path_params))
            if found is None:
                raise _missing(download.title, request)
            name, text = found
            headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
            return Response(text.encode("utf-8", "replace"), media_type=download.media_type, headers=headers)

        return Route(download.path, self._guarded(as_file), methods=["GET"])

    def _change(self, change: Change) -> list[Route]:
        async def from_form(request: Request, visitor: Visitor) -> Response:
            return RedirectResponse(
                await self._make(change, request, visitor, await read_form(request, change.params)), 303
            )

        async def from_json(request: Request, visitor: Visitor) -> Response:
            given = {**await read_object(request), "token": request.headers.get(TOKEN_HEADER)}
            return JSONResponse({"path": await self._make(change, request, visitor, given)})

        return [
            Route(change.path, self._guarded(from_form), methods=["POST"]),
            Route(f"/api{change.path}", self._guarded(from_json), methods=["POST"]),
        ]

    async def _make(self, change: Change, request: Request, visitor: Visitor, given: Mapping[str, Any]) -> str:
        """The one way to a change: with the token, and with a line in the log."""
        self.access.require_token(visitor, given.get("token"))
        wanted = _read(change.params, given, request.path_params)
        path = await change.do(self.site, wanted, visitor)
        log.info("audit: %s %a by %s", change.path, request.path_params.get("id"), visitor.name)
        return path

    def _guarded(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                visitor = self.access.admit(_asking(request), self.site.clock())
                request.state.visitor = visitor
                response = await answer(request, visitor)
            except DeniedError as error:
                response = self._denied(request, error)
            except (ConnectorError, ValidationError) as error:
                response = self._failed(request, error)
            response.headers.update(_HEADERS)
            return response

        return guarded

    def _denied(self, request: Request, error: DeniedError) -> Response:
        if error.login and not _is_for_programs(request):
            asked = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return RedirectResponse(f"/login?next={quote(_back(request) if request.method == 'POST' else asked)}", 303)
        return self._error(request, error.status, str(error))

    def _failed(self, request: Request, error: ConnectorError | ValidationError) -> Response:
        if isinstance(error, FormError) and not _is_for_programs(request):
            return RedirectResponse(error.path, 303)
        if isinstance(error, ValidationError):
            return self._error(request, 422, sentence(error))
        if isinstance(error, StoreError):
            log.error("%s", error)
            return self._error(request, 503, str(error))
        return self._error(request, 409 if isinstance(error, RefusedError) else 422, str(error))

    def _error(self, request: Request, status: int, sentence: str) -> Response:
        if _is_for_programs(request):
            return JSONResponse({"error": sentence}, status)
        title = "Not done" if request.method == "POST" else "Not found" if status == 404 else "Not shown"
        visitor, back = getattr(request.state, "visitor", None), _back(request)
        return self._html("error.html", request, visitor, title=title, back=back, sentence=sentence, status=status)

    def _html(self, template: str, request: Request, visitor: Visitor | None, **values: Any) -> Response:
        query = dict(request.query_params)
        older = {**query, "before": getattr(values.get("shown"), "older", None) or ""}
        shown = {
            "now": self.site.clock(),
            "path": request.url.path,
            "address": f"{request.url.path}?{urlencode(query)}",
            "older_address": f"{request.url.path}?{urlencode(older)}",
            "token": visitor.token if visitor else "",
            **values,
        }
        text = self.environment.get_template(template).render(**shown)
        return HTMLResponse(text.encode("utf-8", "replace"), status_code=values.get("status", 200))

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return Response("there is no such file", 404)
        return FileResponse(STATIC / name, media_type=_FILES[name], headers={"X-Content-Type-Options": "nosniff"})

    async def _login(self, request: Request) -> Response:
        sentence, target = "", request.query_params.get("next", "/")
        try:
            asking = _asking(request)
            self.access.check_host(asking)
            if request.method == "POST":
                form = await read_form(request)
                target = str(form.get("next", "/"))
                session = self.access.log_in(asking, str(form.get("password", "")), self.site.clock())
                if session is not None:
                    return self._logged_in(request, session, target)
                log.warning("audit: a wrong password was given from %s", asking.client)
                sentence = "the password is wrong; it is in CHATFORGE_PASSWORD where the server runs"
        except DeniedError as error:
            response = self._error(request, error.status, str(error))
        else:
            status = 401 if sentence else 200
            response = self._html(
                "login.html", request, None, title="Log in", sentence=sentence, next=target, status=status
            )
        response.headers.update(_HEADERS)
        return response

    def _logged_in(self, request: Request, session: str, target: str) -> Response:
        own = target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
        response = RedirectResponse(own, 303, headers=_HEADERS)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", secure=secure, path="/")
        log.info("audit: a person logged in")
        return response

    async def _logout(self, request: Request, visitor: Visitor) -> Response:
        self.access.require_token(visitor, str((await read_form(request)).get("token", "")))
        self.access.log_out(request.cookies.get(COOKIE))
        return RedirectResponse("/login", 303)

    async def _changes(self, request: Request, _visitor: Visitor) -> Response:
        if request.method == "HEAD":
            return Response()
        return await self.live.answer(request)

    async def _metrics(self, _request: Request, _visitor: Visitor) -> Response:
        return Response(await metrics.render(self.site), media_type=metrics.CONTENT_TYPE)

    async def _token(self, _request: Request, visitor: Visitor) -> Response:
        """What changes send in the header X-ChatForge-Token."""
        return JSONResponse({"token": visitor.token})

    async def _openapi(self, _request: Request, _visitor: Visitor) -> Response:
        return JSONResponse(describe(PAGES, CHANGES))


def _missing(title: str, request: Request) -> DeniedError:
    return DeniedError(404, f"there is no {title.lower()} {request.path_params.get('id', '')!r}")


def _asking(request: Request) -> Asking:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = request.client.host if request.client else ""
    return Asking(request.method, client, request.url.scheme, headers, request.cookies.get(COOKIE))


def _read(params: type[Params], given: Mapping[str, Any], path: Mapping[str, Any]) -> Params:
    """Raises ValidationError or DeniedError. An empty field of a form is as not given."""
    filled = {name: value for name, value in given.items() if value not in ("", None, [])} | dict(path)
    for name, value in filled.items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(one, str) and "\0" in one for one in texts):  # no text of Postgres can have one
            raise DeniedError(422, f"{name[:60]!r} has a NUL character; leave it out")
    return params.model_validate(filled)


def _json(found: BaseModel) -> Response:
    # json.dumps writes a half character as an escape, which pydantic would refuse.
    return Response(json.dumps(found.model_dump(mode="python"), default=_plain), media_type="application/json")


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _is_for_programs(request: Request) -> bool:
    return request.url.path.startswith("/api/") or request.url.path in ("/metrics", "/changes")


def _back(request: Request) -> str:
    """The page on which a change was asked for, or from which a page hangs."""
    return request.url.path.rpartition("/")[0] or "/"
