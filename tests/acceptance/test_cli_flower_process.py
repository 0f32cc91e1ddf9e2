"""The real `crucible flower` where something is in its way, and below a path."""

from __future__ import annotations

import signal
import socket
import urllib.request

from commandline import PATIENCE_SECONDS, Crucible
from services import free_port


def test_without_a_broker_it_says_what_to_set(crucible: Crucible) -> None:
    said = crucible("flower")

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: Flower needs CRUCIBLE_BROKER_URL")


def test_a_broker_that_is_away_is_waited_for_and_named(crucible: Crucible) -> None:
    place = f"redis://127.0.0.1:{free_port()}/0"
    said = crucible("flower", CRUCIBLE_BROKER_URL=place, CRUCIBLE_OUTAGE_SECONDS="1")
    first, second, hint = said.err.splitlines()

    assert said.code == 1
    assert first.startswith(f"{place} does not answer (")
    assert second.startswith(f"error: {place} did not answer for 1 s: ")
    assert hint == "hint: start Redis there, or correct CRUCIBLE_BROKER_URL"


def test_a_taken_port_is_one_line(crucible: Crucible, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = crucible("flower", "--port", port, CRUCIBLE_BROKER_URL=redis_url)

    assert said.code == 2
    assert said.err.splitlines() == [
        f"error: Flower cannot listen on 127.0.0.1:{port}: Address already in use",
        "hint: choose another --port, or an --address of this host",
    ]


def test_on_loopback_it_shows_its_pages_below_a_path_and_ends_when_asked(
    crucible: Crucible, redis_url: str
) -> None:
    words = ("flower", "--port", "0", "--url-prefix", "watch")
    child = crucible.start(*words, CRUCIBLE_BROKER_URL=redis_url)
    assert child.stderr is not None
    place = child.stderr.readline().decode().split()[-1]
    with urllib.request.urlopen(f"{place}tasks") as reply:
        page = reply.read().decode()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=PATIENCE_SECONDS)

    assert place.endswith("/watch/")
    assert 'href="/watch/static/' in page
    assert child.returncode == 0
