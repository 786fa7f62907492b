"""The public endpoint that the links in messages lead to.

    POST /unsubscribed/TOKEN   the one click of RFC 8058, and the button of the page below
    GET  /unsubscribed/TOKEN   a page with a button: scanners of mail follow links, and must not unsubscribe
    GET, POST /dismissed/TOKEN the same for "not helpful"
    GET  /clicked/TOKEN        redirects to the link's target
    GET  /opened/TOKEN         a picture of one pixel
    GET  /health

A token that is not ours is answered with 404 and not logged. An unsubscription is answered with 200 only
when the feedback topic has it; until then mailbox providers try again. Requests are not logged: their
paths contain learners' ids.
"""

import html
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from notifier.links import LinkContent, LinkError, Links, Purpose
from notifier.metrics import Metrics
from notifier.outbox import Outbox
from schemas.learner import Channel

log = logging.getLogger(__name__)

PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020244013b")
"""A transparent GIF."""

HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}
MAX_BODY = 4096

QUESTIONS: Mapping[Purpose, tuple[str, str]] = {
    "unsubscribed": ("No more messages {way}, in any of your courses?", "Unsubscribe"),
    "dismissed": ("Was this message not helpful?", "Not helpful"),
}
CONFIRMATIONS: Mapping[Purpose, str] = {
    "unsubscribed": "You will get no more messages {way}, in any of your courses.",
    "dismissed": "Thank you. That helps us to write less and better.",
}

CHANNEL_PHRASES: Mapping[Channel, str] = {
    "email": "by email",
    "sms": "by SMS",
    "push": "as push notifications",
    "in_app": "in the course's notices",
    "instructor": "through your instructor",
}
"""Channel → its name in the pages' texts; an unsubscription closes a whole channel."""

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em">
<h1 style="font-size:1.3em">{title}</h1>{form}</body></html>
"""
FORM = """<form method="post"><button style="font:inherit;padding:.5em 1.2em">{button}</button></form>"""


def create_link_app(links: Links, outbox: Outbox, metrics: Metrics) -> web.Application:
    """The endpoint as an aiohttp application."""
    endpoint = _Endpoint(links, outbox, metrics)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_with_headers])
    app.router.add_get("/health", _health)
    app.router.add_get("/{kind:unsubscribed|dismissed}/{token}", endpoint.confirm_page, allow_head=True)
    app.router.add_post("/{kind:unsubscribed|dismissed}/{token}", endpoint.submit)
    app.router.add_get("/{kind:clicked}/{token}", endpoint.redirect, allow_head=False)
    app.router.add_get("/{kind:opened}/{token}", endpoint.pixel, allow_head=False)
    return app


@web.middleware
async def _with_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(HEADERS)
        raise
    response.headers.update(HEADERS)
    return response


async def _health(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


class _Endpoint:
    def __init__(self, links: Links, outbox: Outbox, metrics: Metrics) -> None:
        self._links = links
        self._outbox = outbox
        self._metrics = metrics

    async def confirm_page(self, request: web.Request) -> web.Response:
        content = self._read(request)
        title, button = QUESTIONS[content["kind"]]
        return _page(
            title.format(way=CHANNEL_PHRASES[content["channel"]]), FORM.format(button=html.escape(button))
        )

    async def submit(self, request: web.Request) -> web.Response:
        content = self._read(request)
        self._record(content)
        await self._outbox.flush()
        return _page(CONFIRMATIONS[content["kind"]].format(way=CHANNEL_PHRASES[content["channel"]]))

    async def redirect(self, request: web.Request) -> web.Response:
        content = self._read(request)
        self._record(content)
        raise web.HTTPFound(content["to"])

    async def pixel(self, request: web.Request) -> web.Response:
        self._record(self._read(request))
        return web.Response(body=PIXEL, content_type="image/gif")

    def _read(self, request: web.Request) -> LinkContent:
        try:
            content = self._links.read(request.match_info["token"])
        except LinkError:
            raise web.HTTPNotFound from None
        if content["kind"] != request.match_info["kind"]:
            raise web.HTTPNotFound
        return content

    def _record(self, content: LinkContent) -> None:
        self._outbox.send_link_feedback(content)
        self._metrics.feedback.labels(content["kind"]).inc()


def _page(title: str, form: str = "") -> web.Response:
    return web.Response(
        text=PAGE.format(title=html.escape(title), form=form), content_type="text/html", charset="utf-8"
    )
