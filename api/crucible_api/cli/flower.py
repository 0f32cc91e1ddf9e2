"""`crucible flower`: the tasks of a cluster in Flower's web page."""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec
from pathlib import Path

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.errors import BrokerUnavailable, InvalidInput
from crucible_infra.settings import current

#: Flower's own
PORT = 5555

EPILOG = """\b
Examples:
  CRUCIBLE_BROKER_URL=redis://queue/0 crucible flower
  crucible flower --address 0.0.0.0                  asks for a name and a password
  crucible flower --url-prefix flower                behind a proxy, at /flower/

Needs codecrucible[cluster]. It shows the tasks that workers receive from about 5 s after both
have started, keeps them over restarts, and changes nothing unless --allow-control is given. Basic
authentication is readable on the way: beyond a network you trust, put a proxy with TLS before it.
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
@click.option(
    "--address", default="127.0.0.1", show_default=True, help="The interface to listen on."
)
@click.option(
    "--basic-auth-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="NAME:PASSWORD in each line. Without it one is made where one is needed: beyond loopback, "
    "and for --allow-control.",
)
@click.option("--url-prefix", metavar="PATH", help="Serve below this path.")
@click.option(
    "--allow-control", is_flag=True, help="Let whoever logs in revoke tasks and stop workers."
)
@options.speaking
@options.on_this_host
def command(
    voice: Voice,
    *,
    port: int,
    address: str,
    basic_auth_file: Path | None,
    url_prefix: str | None,
    allow_control: bool,
) -> None:
    """Show what the workers of a cluster do, in a web page, until stopped."""
    if find_spec("flower") is None:
        raise InvalidInput("Flower is not installed", hint="pip install 'codecrucible[cluster]'")
    if current().is_embedded:
        raise BrokerUnavailable(
            "Flower needs CRUCIBLE_BROKER_URL; without one every command does its own work",
            hint="CRUCIBLE_BROKER_URL=redis://HOST/0 crucible flower",
        )
    from crucible_api.cli.broker_wait import wait_for_broker
    from crucible_api.cli.flower_page import Page, serve
    from crucible_api.cli.flower_password import credentials

    needs_password = allow_control or not is_loopback(address)
    logins = credentials(basic_auth_file, is_needed=needs_password, voice=voice)
    wait_for_broker(voice)
    serve(Page(address, port, logins, url_prefix or "", is_read_only=not allow_control), voice)


def is_loopback(address: str) -> bool:
    """Whether only this host can connect to it; a name other than localhost counts as reachable."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
