"""TLS to Redis: which certificates a rediss:// URL asks for, checked before anything connects.

    rediss://:PASSWORD@HOST:6379/0?ssl_ca_certs=FILE&ssl_certfile=FILE&ssl_keyfile=FILE

Without options the system's authorities are trusted. The server's certificate and its name are
always checked: Kombu's own default for a bare rediss:// is to check neither, so that whoever
answers could read every task and forge every result.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from crucible_infra.errors import InvalidInput

#: the options that name a file
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

#: what else may follow the question mark; Celery fails on anything more
_OTHERS = ("credential_provider", "virtual_host")

#: the option redis-py and Celery have for checking less, and how they spell "all of it"
_STRENGTH, _FULL = "ssl_cert_reqs", ("required", "CERT_REQUIRED")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker's URL without its TLS options, and these as Celery takes them."""

    url: str
    #: for `broker_use_ssl` and `redis_backend_use_ssl`; None without TLS
    tls: dict[str, object] | None


def read_address(url: str) -> BrokerAddress:
    """Take a broker's URL apart.

    Raises InvalidInput for an option that does not exist, checks less than everything or names a
    file that cannot be used; the URL, which holds a password, is never shown.
    """
    parts = urlsplit(url)
    words = dict(parse_qsl(parts.query))
    options = {name: words.pop(name) for name in list(words) if name.startswith("ssl_")}
    if parts.scheme in ("redis", "rediss"):
        _check_names(options, words)
    if parts.scheme != "rediss":
        if options:
            raise InvalidInput(
                "CRUCIBLE_BROKER_URL has TLS options, and is a redis:// URL without TLS",
                hint=f"rediss:// uses TLS; without it, leave out {', '.join(options)}",
            )
        return BrokerAddress(url, None)
    files = {name: options[name] for name in _FILES if name in options}
    _check_files(files)
    bare = urlunsplit(parts._replace(query=urlencode(words)))
    checks = {_STRENGTH: ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    return BrokerAddress(bare, {**checks, **files})


def _check_names(options: dict[str, str], others: dict[str, str]) -> None:
    if options.get(_STRENGTH, _FULL[0]) not in _FULL:
        raise InvalidInput(
            f"CRUCIBLE_BROKER_URL: {_STRENGTH}={options[_STRENGTH]} trusts whoever answers",
            hint="ssl_ca_certs=FILE: a self-signed certificate is its own authority",
        )
    for name in (*options, *others):
        if name not in (*_FILES, _STRENGTH, *_OTHERS):
            raise InvalidInput(
                f"CRUCIBLE_BROKER_URL: there is no option {name}",
                hint=f"there are {', '.join(_FILES)}; certificates and names are always checked",
            )


def _check_files(files: dict[str, str]) -> None:
    """Load what the URL names: Celery would tell of a missing file as of a lost connection."""
    if ("ssl_certfile" in files) != ("ssl_keyfile" in files):
        raise InvalidInput(
            "CRUCIBLE_BROKER_URL: ssl_certfile and ssl_keyfile need each other",
            hint="a client shows its certificate and proves it with the key",
        )
    for name, path in files.items():
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"CRUCIBLE_BROKER_URL: {name}: {path}: {error.strerror}",
                hint="the path of a PEM file that this user can read",
            ) from error
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
        if "ssl_certfile" in files:
            # an encrypted key would else be asked for on the terminal
            context.load_cert_chain(files["ssl_certfile"], files["ssl_keyfile"], password="")
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"CRUCIBLE_BROKER_URL: {' or '.join(files.values())} is no usable PEM file",
            hint=f"certificates and an unencrypted key that belong together ({error})",
        ) from error
