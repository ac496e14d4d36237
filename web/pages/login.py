"""``/login``: a browser gives a token once, and keeps it in a cookie that no script sees and no other site sends."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from web.access.deciding import Access
from web.access.middleware import LOGIN
from web.rendering import page

router = APIRouter(include_in_schema=False)
_DAYS = 30


@router.get(LOGIN)
def login_page(request: Request, next: str = Query("/", max_length=4096)) -> Response:  # noqa: A002
    """The form; who is in already goes on."""
    if request.state.visitor:
        return RedirectResponse(_target(request, next), 303)
    return _page(request, next)


@router.post(LOGIN)
def log_in(
    request: Request,
    token: str = Form(max_length=200),
    next: str = Form("/", max_length=4096),  # noqa: A002
) -> Response:
    """Take the token, and go on to where the browser wanted to."""
    access: Access = request.state.access
    text = token.strip()
    if access.iap or not access.tokens.visitor(text):
        return _page(request, next, "There is no such token, or not any more.", 401)
    answer = RedirectResponse(_target(request, next), 303)
    _set_cookie(answer, access, text, _DAYS * 86_400)
    return answer


@router.post("/logout")
def log_out(request: Request) -> Response:
    """Forget the cookie."""
    access: Access = request.state.access
    answer = RedirectResponse(f"{access.root_path}{LOGIN}", 303)
    _set_cookie(answer, access, "", 0)
    return answer


def _set_cookie(answer: Response, access: Access, value: str, seconds: int) -> None:
    """For these pages alone, out of scripts' sight, sent by no other site's page; over TLS where there is a proxy."""
    answer.set_cookie(
        access.cookie,
        value,
        max_age=seconds,
        path=f"{access.root_path}/",
        secure=access.public is not None,
        httponly=True,
        samesite="strict",
    )


def _target(request: Request, wanted: str) -> str:
    """Where to go on: a path of these pages, whatever was asked for."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc)
    is_plain = all(" " < character < "\x7f" for character in wanted)
    return f"{request.scope['root_path']}{wanted if is_ours and is_plain else '/'}"


def _page(request: Request, wanted: str, told: str = "", status: int = 200) -> Response:
    answer = page(request, "login.html", status, wanted=wanted, told=told)
    answer.headers["Cache-Control"] = "no-store"
    return answer
