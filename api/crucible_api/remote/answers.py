"""What a server's refusals mean here: the error it met, a token it wants, another version."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from crucible_api import __version__
from crucible_api.http import wire
from crucible_api.http.wire import Problem
from crucible_infra.errors import (
    BrokerUnavailable,
    CrucibleError,
    DatabaseUnavailable,
    InvalidInput,
    ServerUnavailable,
)

#: the type of a problem that is no error of ours
_BLANK = "about:blank"

_HINT = "CRUCIBLE_TOKEN holds it; crucible token create, on the server's host, makes one"

#: of a complaint that may quote an answer
_LONGEST = 200


def error_of(problem: Problem, url: str, *, is_authorized: bool) -> CrucibleError:
    """The error that a problem document stands for."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        wants = "does not accept this token" if is_authorized else "wants a token"
        return InvalidInput(f"{url} {wants}", hint=_HINT)
    if problem.type != _BLANK:
        return _placed(wire.error_of(problem))
    if problem.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        hint = _bare(url) or f"this is codecrucible {__version__}; is it older?"
        return CrucibleError(f"{url} knows no such request", hint=hint)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ServerUnavailable(f"{url}: {problem.detail}", hint=problem.hint)
    if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidInput(f"{url}: {problem.detail}", hint=problem.hint)
    return CrucibleError(f"{url}: {problem.detail}", hint=problem.hint)


def _placed(error: CrucibleError) -> CrucibleError:
    """The same; what only its host can mend says so."""
    if isinstance(error, BrokerUnavailable | DatabaseUnavailable) and error.hint:
        return type(error)(error.message, hint=f"on the server's host: {error.hint}")
    return error


def unlike(url: str, status: int, location: str | None) -> CrucibleError:
    """The error of an answer that `crucible serve` does not give."""
    if location and HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        hint = f"CRUCIBLE_SERVER={place}" if (place := _server_of(location)) else None
        return InvalidInput(f"{url} sends its visitors elsewhere (HTTP {status})", hint=hint)
    return InvalidInput(
        f"{url} does not speak as `crucible serve` does (HTTP {status})",
        hint=_bare(url) or "CRUCIBLE_SERVER is the address that `crucible serve` prints",
    )


def too_much(url: str, most: int) -> CrucibleError:
    """The error of an answer that has no end."""
    return CrucibleError(f"{url} answers more than {most // 2**20} MiB at once; nobody reads it")


def endless(url: str) -> CrucibleError:
    """The error of a list that does not go on and has no end."""
    return CrucibleError(f"{url}: its list has no end")


def _server_of(location: str) -> str:
    try:
        parts = urlsplit(location)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def silence_hint(url: str, reason: str = "") -> str:
    """What to do about a server that does not answer."""
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "SSL_CERT_FILE names the authority of its certificate, where this host has none"
    if "[SSL" in reason:
        return f"does it speak TLS? CRUCIBLE_SERVER=http{url.removeprefix('https')} if not"
    return (
        "is `crucible serve` running there? CRUCIBLE_SERVER names it; without it work is done here"
    )


def _bare(url: str) -> str | None:
    """The advice to leave out a path: of a page, or of the API."""
    parts = urlsplit(url)
    if parts.path.strip("/"):
        return f"CRUCIBLE_SERVER={parts.scheme}://{parts.netloc}, without a path"
    return None


def mismatch(url: str, theirs: str, problem: str) -> CrucibleError:
    """Why an answer was not understood: mostly since another version gave it."""
    told = f"its answer is not understood here ({problem[:_LONGEST]})"
    if theirs == __version__:
        return CrucibleError(f"{url}: {told}", hint="both are the same version: this is a bug")
    return CrucibleError(
        f"{url} is codecrucible {theirs}, and this is {__version__}: {told}",
        hint="install the same version on both hosts",
    )
