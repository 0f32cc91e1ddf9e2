"""`crucible serve`: the HTTP API and the page, over this host's database or a cluster's."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.flower import is_loopback
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.http.guard import Rules

PORT = 8642

_LOOPBACK = "127.0.0.1"

#: what a browser of this host calls it
_NAMES = ("localhost", _LOOPBACK, "[::1]")

#: seconds that a request under way, which may wait for a worker, can hold the end of the process
_LAST_SECONDS = 8.0

EPILOG = """\b
Examples:
  crucible serve
  crucible serve --port 0 --open                      any free port, and a browser
  crucible token create laptop && crucible serve --address 0.0.0.0
  crucible serve --require-token                      where others have accounts on this host
  CRUCIBLE_BROKER_URL=… CRUCIBLE_DATABASE_URL=… crucible serve      a cluster's page

The page is at the address it prints, the API below it at /api/v1, its document at
/api/v1/openapi.json. Without a cluster this process does the work that is asked for, one run after
the other; what it leaves undone at its end is interrupted, and crucible runs resume goes on.

Beyond loopback everybody needs a token of crucible token create, and whoever has one may do what
you may with crucible here: ask any model server, run models' programs in the sandbox, train.
Tokens are readable on the way: beyond a network you trust, put a proxy with TLS before it.

Ctrl-C and SIGTERM end it within seconds, with exit code 130 and 143; a port that is taken, or a
token that is missing, is 2.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="N",
    help="0 takes any free one.",
)
@click.option("--address", default=_LOOPBACK, show_default=True, help="The interface to listen on.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="A name that it is asked by, as behind a proxy; needs a token.",
)
@click.option("--require-token", "wants_token", is_flag=True, help="Ask for a token here, too.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="More tokens, one a line, as a secret of a container; needs a token.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@options.speaking
@options.on_this_host
def command(
    voice: Voice,
    *,
    port: int,
    address: str,
    names: tuple[str, ...],
    wants_token: bool,
    token_file: Path | None,
    opens: bool,
) -> None:
    """Serve the HTTP API and the page until stopped."""
    from crucible_api.cli.hands import hands
    from crucible_api.http.server import listen, serve
    from crucible_api.http.services import open_services
    from crucible_infra import log

    is_open = is_loopback(address) and not (names or wants_token or token_file)
    rules = _rules(address, names, token_file, is_open=is_open)
    services = open_services(current())
    with listen(address, port) as bound, hands(voice, trains=services.trains):
        log.configure()
        others = " and this host's other addresses" if bound.is_everywhere else ""
        lock = "" if is_open else ", with a token"
        voice.announce(f"the page is at {bound.url}/{others}{lock}")
        if voice.is_json:
            voice.data({"url": bound.url})
        if opens:
            click.launch(f"{bound.url}/")
        serve(bound, services, rules, on_stop=_end_in_time)


def _rules(address: str, names: Sequence[str], token_file: Path | None, *, is_open: bool) -> Rules:
    """Who is let in. Raises InvalidInput where nobody could be."""
    from crucible_api.http.guard import Rules

    own = f"[{address}]" if ":" in address else address.lower()
    known = frozenset((*_NAMES, own, *(name.lower() for name in names)))
    if is_open:
        return Rules(known)
    from crucible_api.tokens import is_among, open_tokens, read_tokens

    tokens = open_tokens(current())
    given = () if token_file is None else read_tokens(token_file)
    if not given and all(token.is_over for token in tokens.all()):
        raise InvalidInput(
            "a token is needed, and there is none", hint="crucible token create NAME"
        )
    # a token protects from other sites' names as well: no browser sends it to them
    hosts = known if names or is_loopback(address) else None
    return Rules(hosts, lambda text: is_among(given, text) or tokens.is_good(text))


def _end_in_time(number: int) -> None:
    """End the process as the signal would, whatever a request still waits for."""
    timer = threading.Timer(_LAST_SECONDS, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()
