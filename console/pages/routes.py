"""The routes of the pages and their forms. Every form works without scripts: post, act, redirect back."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, ValidationError
from starlette.concurrency import run_in_threadpool

from console.access import ApiKey
from console.errors import ProblemError
from console.guard import COOKIE, ServiceDep, guard_of, same_origin
from console.models import InstructorFeedback, Order
from console.pages.rendering import environment
from console.pages.timeline import timeline
from console.pages.urgency import sections
from console.ports import OutboxDownError
from console.queries.risks import Filters
from console.services.service import Service
from console.sessions import SESSION_S
from schemas.risk import RiskLevel
from sinks.errors import StoreError

log = logging.getLogger(__name__)

TEMPLATES = environment()
TEMPLATES.filters["timeline"] = timeline
PAGE = 20
MAX_FORM = 10_000

NOTES = {
    "feedback": "Thank you. It is noted, and in the ledger within seconds.",
    "approved": "Approved. If nothing forbids it by now, the message goes out at once or at an hour that "
    "suits the learner; their page says which.",
    "declined": "Declined. Nothing will be sent.",
}
"""The message on a page after a form, by the ``note`` in its URL."""


class PageRoute(APIRoute):
    """A route whose errors are pages; FastAPI's own way to wrap a handler."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler, with errors as pages."""
        handle = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as error:
                return failed(request, error.status, error.detail)
            except RequestValidationError as error:
                fields = ", ".join(sorted({str(problem["loc"][-1]) for problem in error.errors()}))
                detail = f"The address is not one of ours; look at what it says of {fields}."
                return failed(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail)
            except OutboxDownError as error:
                log.warning("feedback could not be sent: %s", error)
                return failed(
                    request, HTTPStatus.SERVICE_UNAVAILABLE, "Nothing was recorded. Try again in a moment."
                )
            except StoreError as error:
                log.warning("a page could not be shown: %s", error)
                return failed(
                    request,
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "The store cannot be reached. Nothing is lost: the pipeline waits for it and goes on "
                    "where it stopped, and this page comes back by itself.",
                )

        return readable


router = APIRouter(route_class=PageRoute)


class NotSignedInError(ProblemError):
    """The user has to sign in first."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, "Sign in first.")


def session_key(request: Request) -> ApiKey:
    """The key of the request's session.

    Raises:
        NotSignedInError: there is no valid session.
        ProblemError: the form is from another site (403), or there were too many requests (429).
    """
    guard = guard_of(request)
    key = guard.by_session(request)
    if key is None:
        raise NotSignedInError
    if request.method == "POST" and not same_origin(request):
        raise ProblemError(HTTPStatus.FORBIDDEN, "This form was sent from another page.")
    guard.count(key)
    return key


SessionKey = Annotated[ApiKey, Depends(session_key)]
EMPTY_AS_NONE = BeforeValidator(lambda value: value or None)
"""A form field without a choice is sent empty, and means the same as a missing one."""

Note = Annotated[str, Query(max_length=20)]


def _page(request: Request, name: str, key: ApiKey | None, **values: Any) -> Response:
    """Render a page with the values that all pages have: the user, the newest day, whether it is stale."""
    service: Service = request.app.state.service
    newest = service.scope.newest_day() if key else None
    common = {
        "name": name,
        "key": key,
        "here": _current_path(request),
        "replay": service.parts.replay,
        "newest": newest,
        "stale": service.scope.stale(newest),
        "waiting": service.nudges.waiting_count(key) if key and newest else 0,
        "note": "",
    }
    html = TEMPLATES.get_template(f"{name}.html").render(common | values)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _current_path(request: Request) -> str:
    """The page's path and query, to which its forms and the sign-in return."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def own_path(path: str) -> str:
    """The path if it is certainly one of our pages, else ``/``: a form field may contain anything.

    Browsers interpret ``//host`` and ``/\\host`` as another host, after dropping unprintable characters.
    """
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isascii() and path.isprintable() and " " not in path else "/"


def failed(request: Request, status: HTTPStatus, detail: str) -> Response:
    """Render an error as a page; without a session, redirect to the sign-in."""
    if status == HTTPStatus.UNAUTHORIZED and request.method in ("GET", "HEAD"):
        here = _current_path(request)
        login = f"/login?{urlencode({'next': here})}" if here != "/" else "/login"
        return RedirectResponse(login, HTTPStatus.SEE_OTHER)
    values = {
        "name": "failed",
        "key": guard_of(request).by_session(request),
        "status": status,
        "detail": detail,
        "retry": status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        "newest": None,  # nothing is asked of the store: it may be what failed
        "stale": False,
        "waiting": 0,
        "note": "",
    }
    html = TEMPLATES.get_template("failed.html").render(values)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


# -- views ----------------------------------------------------------------------------------------------


@router.get("/")
def today(
    request: Request,
    key: SessionKey,
    service: ServiceDep,
    course_run: str = "",
    level: Annotated[RiskLevel | None, EMPTY_AS_NONE] = None,
    order: Annotated[Order, BeforeValidator(lambda value: value or "urgency")] = "urgency",
    cursor: Annotated[str | None, EMPTY_AS_NONE] = None,
    note: Note = "",
) -> Response:
    """Today's list, most urgent first."""
    filters = Filters((level,) if level else ("medium", "high"))
    page = service.learners.at_risk(key, [course_run] if course_run else [], filters, order, cursor, PAGE)
    selected = {"course_run": course_run, "level": level or "", "order": order}
    params = {
        name: value for name, value in selected.items() if value and (name, value) != ("order", "urgency")
    }
    return _page(
        request,
        "today",
        key,
        page=page,
        parted=list(sections(page.items, order, page.as_of)) if page.as_of else [],
        courses=service.courses.overview(key),
        asked=selected,
        more=urlencode(params | {"cursor": page.next}) if page.next else "",
        begin=urlencode(params),
        first=cursor is None,
        note=NOTES.get(note, ""),
        warming=any(risk.model_state == "warming_up" for risk in page.items),
    )


@router.get("/courses")
def courses(request: Request, key: SessionKey, service: ServiceDep) -> Response:
    """All course runs of the scope."""
    return _page(request, "courses", key, courses=service.courses.overview(key))


@router.get("/course")
def course(request: Request, key: SessionKey, service: ServiceDep, run: str) -> Response:
    """One course run: how it stands, risk by week, engagement by day."""
    story = service.courses.story(key, run)
    page = service.learners.at_risk(key, [run], Filters(), "urgency", None, 5)
    return _page(request, "course", key, story=story, top=page)


@router.get("/learners/{learner}")
def learner(
    request: Request, key: SessionKey, service: ServiceDep, learner: str, run: str, note: Note = ""
) -> Response:
    """One enrolment from its first estimate to now."""
    found = service.learners.learner(key, learner)
    return _page(
        request,
        "learner",
        key,
        as_of=service.scope.as_of(),
        story=service.learners.story(key, learner, run),
        others=[risk for risk in found.risks if risk.course_run != run],
        reachable=service.people.person(learner) is not None,
        note=NOTES.get(note, ""),
    )


@router.get("/interventions")
def interventions(request: Request, key: SessionKey, service: ServiceDep) -> Response:
    """Decisions, and their effect as far as it is known."""
    return _page(
        request,
        "interventions",
        key,
        found=service.nudges.interventions(key),
        messages=service.nudges.ledger(key, [], "send", None, 10).items,
    )


@router.get("/queue")
def queue(request: Request, key: SessionKey, service: ServiceDep, note: Note = "") -> Response:
    """Nudges that wait for approval."""
    return _page(request, "queue", key, proposals=service.nudges.proposals(key), note=NOTES.get(note, ""))


# -- forms ----------------------------------------------------------------------------------------------


async def _form(request: Request) -> dict[str, str]:
    """The fields of a posted form, each once."""
    body = await request.body()
    if len(body) > MAX_FORM:
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This form is too long.")
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _redirect_back(form: dict[str, str], note: str) -> Response:
    """Redirect to the page of the form, if it is one of ours."""
    path, _, query = own_path(form.get("back", "/")).partition("?")
    params = {name: values[0] for name, values in parse_qs(query).items() if name != "note"}
    return RedirectResponse(f"{path}?{urlencode(params | {'note': note})}", HTTPStatus.SEE_OTHER)


@router.post("/feedback")
async def feedback(request: Request, key: SessionKey, service: ServiceDep) -> Response:
    """Send an instructor's feedback on a learner."""
    form = await _form(request)
    try:
        message = InstructorFeedback.model_validate(
            {name: form.get(name, "") for name in ("learner", "course_run", "kind")}
        )
    except ValidationError:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "This form is not complete.") from None
    await run_in_threadpool(service.feedback.send, key, message)
    return _redirect_back(form, "feedback")


@router.post("/verdict")
async def verdict(request: Request, key: SessionKey, service: ServiceDep) -> Response:
    """Approve or decline a nudge that waits."""
    form = await _form(request)
    answer = form.get("verdict")
    if answer not in ("approved", "declined"):
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "This form is not complete.")
    await run_in_threadpool(service.feedback.answer, key, form.get("nudge", ""), answer)  # type: ignore[arg-type]
    return _redirect_back(form, answer)


# -- sessions -------------------------------------------------------------------------------------------


@router.get("/login")
def login(request: Request, next: str = "/") -> Response:
    """The sign-in page; ``next`` is the page to go to afterwards."""
    return _page(request, "login", None, wrong=False, next=own_path(next))


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Begin a session if the key is valid, and redirect to the requested page."""
    if not same_origin(request):
        raise ProblemError(HTTPStatus.FORBIDDEN, "This form was sent from another page.")
    form = await _form(request)
    guard, wanted = guard_of(request), own_path(form.get("next", "/"))
    key = guard.by_key(request, form.get("key", "").strip())
    if key is None:
        response = _page(request, "login", None, wrong=True, next=wanted)
        response.status_code = HTTPStatus.UNAUTHORIZED
        return response
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        COOKIE,
        guard.sessions.begin(key),
        max_age=SESSION_S,
        httponly=True,
        samesite="lax",
        secure=guard.site.secure or request.url.scheme == "https",
    )
    return response


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """End the session."""
    if same_origin(request):
        guard_of(request).sessions.end(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response
