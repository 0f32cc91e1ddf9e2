"""The login: a browser shows its token once, and carries it as a cookie that no script can read."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from crucible_api.http.guard import COOKIE, LOGIN, Rules
from crucible_api.page.rendering import render

#: seconds; a token that is revoked or over lets nobody in, whatever a browser still has
_KEPT = 30 * 86_400

_WRONG = "This is not one of the server's tokens."
_TOO_MANY = "Too many wrong tokens at once; try again in a while."


def login_router(rules: Rules) -> APIRouter:
    """The pages to log in and out."""
    router = APIRouter(include_in_schema=False)

    @router.get(LOGIN)
    async def login_page(request: Request) -> Response:
        """Ask for a token."""
        is_in = rules.is_good is None or rules.is_good(request.cookies.get(COOKIE, ""))
        return _page(request, request.query_params.get("next", ""), is_in=is_in)

    @router.post(LOGIN)
    async def login(request: Request) -> Response:
        """Take a token, and go where its owner wanted to."""
        fields = parse_qs((await request.body()).decode("latin-1"), max_num_fields=10)
        token, place = (fields.get(name, [""])[0].strip() for name in ("token", "next"))
        if rules.is_good is None or rules.is_good(token):
            answer = RedirectResponse(_local(place), HTTPStatus.SEE_OTHER)
            is_secure = request.url.scheme == "https"
            answer.set_cookie(
                COOKIE, token, _KEPT, secure=is_secure, httponly=True, samesite="strict"
            )
            return answer
        if not await rules.tries.wait():
            return _page(request, place, _TOO_MANY, HTTPStatus.TOO_MANY_REQUESTS)
        return _page(request, place, _WRONG, HTTPStatus.UNAUTHORIZED)

    @router.post("/logout")
    async def logout() -> Response:
        """Forget the token of this browser."""
        answer = RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def _page(
    request: Request,
    place: str,
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    *,
    is_in: bool = False,
) -> Response:
    return render(request, "login.html", status, problem=problem, next=_local(place), is_in=is_in)


def _local(place: str) -> str:
    """A page of this server, whatever the request says."""
    is_local = place.startswith("/") and place[1:2] not in ("/", "\\") and place.isprintable()
    return place if is_local and not place.startswith(LOGIN) else "/"
