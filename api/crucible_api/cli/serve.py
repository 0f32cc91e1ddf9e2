"""`crucible serve`: the HTTP API and the page, over this host's database or a cluster's."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.flower import is_loopback
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

PORT = 8642

_LOOPBACK = "127.0.0.1"

EPILOG = """\b
Examples:
  crucible serve
  crucible serve --port 0                            any free port

The page is at the address it prints, the API below it at /api/v1, its document at
/api/v1/openapi.json.
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
@options.speaking
@options.on_this_host
def command(voice: Voice, *, port: int, address: str) -> None:
    """Serve the HTTP API and the page until stopped."""
    from crucible_api.cli.hands import hands
    from crucible_api.http.guard import Rules
    from crucible_api.http.server import listen, serve
    from crucible_api.http.services import open_services

    if not is_loopback(address):
        raise InvalidInput("beyond loopback a token is needed")
    services = open_services(current())
    rules = Rules(hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))
    with listen(address, port) as bound, hands(voice):
        voice.talk(f"the page is at {bound.url}/")
        serve(bound, services, rules)
