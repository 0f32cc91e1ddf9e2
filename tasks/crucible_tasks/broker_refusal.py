"""A broker that answers and refuses: a wrong password or certificate, which no waiting heals."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

#: how redis-py names a wrong, missing or insufficient password; by name, because a door that sends
#: nothing need not import it
_LOGINS = {"AuthenticationError", "AuthenticationWrongNumberOfArgsError", "NoPermissionError"}

_LOGIN = (
    "correct user and password in CRUCIBLE_BROKER_URL, like redis://:PASSWORD@HOST/0 "
    "(:, /, @ and % are written %3A, %2F, %40 and %25)"
)
_CERTIFICATE = (
    "?ssl_ca_certs=FILE names the authority that signed Redis' certificate, and the URL's host "
    "must be a name in it"
)
_TLS = (
    "rediss:// needs a Redis that speaks TLS on this port, and where it asks for one, a "
    "client's certificate: ?ssl_certfile=FILE&ssl_keyfile=FILE"
)


def refusal_hint(error: BaseException) -> str | None:
    """What to correct when the broker refused; None when it did not answer, or a retry may help."""
    for cause in _causes(error):
        if type(cause).__name__ in _LOGINS:
            return _LOGIN
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _CERTIFICATE
        # a server that went away in the middle says EOF, and is a lost one
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return _TLS
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised because of, drivers' wrappers first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
