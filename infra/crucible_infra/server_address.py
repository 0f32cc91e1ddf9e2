"""The address of the server that does what commands ask for; whether a token is safe with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from crucible_infra.errors import InvalidInput

_LIKE = "like https://crucible.example or http://127.0.0.1:8642"


def check(url: str, token: str | None, others: Sequence[str]) -> None:
    """Refuse what no request could be sent to, or what contradicts it; raises InvalidInput.

    `others` are variables that name a broker or a database as well. No message shows the token.
    """
    if others:
        raise InvalidInput(
            f"CRUCIBLE_SERVER and {others[0]} are both set",
            hint="the server has a broker and a database of its own: unset one of them",
        )
    if problem := _problem(url):
        raise InvalidInput(f"CRUCIBLE_SERVER {problem}", hint=_LIKE)
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise InvalidInput(
            "CRUCIBLE_TOKEN is no token", hint="it is printable ASCII without spaces, on one line"
        )


def notes(url: str | None, token: str | None) -> tuple[str, ...]:
    """What a user must hear about them."""
    if url is None or token is None or _problem(url) or urlsplit(url).scheme == "https":
        return ()
    if is_loopback(url):
        return ()
    return (f"{url} is plain http: whoever is on the way can read the token; use https",)


def is_loopback(url: str) -> bool:
    """Whether the URL means this host."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _problem(url: str) -> str | None:
    if "://" not in url and not url.startswith(("http:", "https:")):
        return "lacks its https:// or http://"
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return "is no URL"
    if not is_valid or not url.isprintable() or " " in url:
        return "is no URL of a server"
    if "@" in parts.netloc:
        return "must not carry a user or a password: CRUCIBLE_TOKEN holds the token"
    return "has more than an address" if parts.query or parts.fragment else None
