"""``/import``, at the machine itself: an export is dropped, the dry run's report is shown, then it is imported."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile

from pipelines.failure import Failure
from pipelines.warehouse.bigquery import SCHEME
from web.access.visitor import Scope, needs
from web.errors import BadRequestError, NotFoundError, NothingYetError, SentenceError
from web.rendering import page
from web.routing import StrictRoute, Whose
from web.running.importing import Importing, Job, Places
from web.settings import Settings
from web.visit import asker_of, links

router = APIRouter(route_class=StrictRoute, dependencies=[Depends(needs(Scope.OWN))])
# An export of many years has some tens of megabytes.
MOST_BYTES = 512 * 2**20
_LONGEST_NAME = 200


class TooLargeError(SentenceError):
    """More than is taken."""

    status = 413


def places(request: Request) -> Places:
    """FastAPI's dependency: where an import goes. Raises NotFoundError where this server has no archive of its own."""
    settings: Settings = request.app.state.settings
    if settings.archive is None or settings.state is None or settings.warehouse.startswith(SCHEME):
        raise NotFoundError(
            "This server imports nothing: it knows no archive. heavy-rotation web without --warehouse does, and with "
            "--warehouse, --archive and --state of this machine."
        )
    try:
        time_zone = asker_of(request).time_zone
    except NothingYetError:
        time_zone = None
    return Places(settings.archive, settings.warehouse, settings.state, settings.logins, time_zone)


There = Annotated[Places, Depends(places)]


@router.get("/import")
def choose(request: Request, there: There, user: Whose = None) -> Response:
    """The form; and the import that is at work, if there is one."""
    job = _importing(request).job()
    return page(request, "import.html", job=job, archive=there.archive, most=MOST_BYTES // 2**20, whose=user or "")


@router.post("/import")
async def take(request: Request, there: There, user: Whose = None) -> Response:  # noqa: ARG001  of the links alone
    """Take an export, and go on to where its report will be."""
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise BadRequestError("How large it is has to be said first, by the header Content-Length.")
    if int(length) > MOST_BYTES:
        raise TooLargeError(
            f"An export of more than {MOST_BYTES // 2**20} MB is not taken here; heavy-rotation import takes it."
        )
    async with request.form(max_files=1, max_fields=1) as form:
        unknown = set(form) - {"export", "whose"}
        export, whose = form.get("export"), form.get("whose", "")
        if unknown or not isinstance(export, UploadFile) or not isinstance(whose, str):
            raise BadRequestError("The form has an export, and whose plays they are; nothing else.")
        if not export.filename:
            raise BadRequestError("Choose an export: my_spotify_data.zip, or one of its JSON files.")
        whose = whose.strip()
        if len(whose) > _LONGEST_NAME or not whose.isprintable():
            raise BadRequestError("That is no name of a listener.")
        job = await run_in_threadpool(_importing(request).take, export.file, export.filename, whose, there)
    return _to(request, job)


@router.get("/import/{key}")
def look(request: Request, key: str, there: There, user: Whose = None) -> Response:  # noqa: ARG001  as above
    """The report, or how far it is; while it is at work, the page comes again by itself."""
    answer = page(request, "importing.html", job=_job(request, key), archive=there.archive)
    if _job(request, key).is_running:
        answer.headers["Refresh"] = "1"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/import/{key}")
def write(request: Request, key: str, there: There, user: Whose = None) -> Response:  # noqa: ARG001  as above
    """Import what was read."""
    _job(request, key)
    try:
        return _to(request, _importing(request).write(key, there))
    except Failure as error:
        raise BadRequestError(str(error)) from None


def _importing(request: Request) -> Importing:
    found: Importing = request.app.state.importing
    return found


def _job(request: Request, key: str) -> Job:
    job = _importing(request).job(key)
    if job is None:
        raise NotFoundError("There is no such import any more.", ("Choose an export", "/import"))
    return job


def _to(request: Request, job: Job) -> Response:
    return RedirectResponse(links(request)(f"/import/{job.key}"), 303)
