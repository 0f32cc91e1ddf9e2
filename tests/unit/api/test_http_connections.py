"""Connections that ask nothing, or take no answer: they end, so that others find room."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from crucible_api.http import server as http_server
from crucible_api.http.server import listen, make_server
from crucible_infra import settings
from served import RULES, SECONDS, open_filled_services

#: the whole of it fits into no buffer of a connection
LARGE = "/static/plotly.min.js"
WHOLE = 4_000_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    services = open_filled_services(tmp_path_factory.mktemp("connections"))
    with pytest.MonkeyPatch.context() as patch, listen("127.0.0.1", 0) as bound:
        patch.setattr(http_server, "HEAD_SECONDS", 0.3)
        server = make_server(services, RULES)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.socket]})
        thread.start()
        try:
            yield bound.url
        finally:
            server.should_exit = True
            thread.join(SECONDS)
    services.runs.database.close()
    settings.current.cache_clear()


def _connected(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=SECONDS)


def _rest(connection: socket.socket) -> bytes:
    """What comes before the end; TimeoutError where a connection is kept."""
    found = b""
    while chunk := connection.recv(65_536):
        found += chunk
    return found


def _drip(connection: socket.socket) -> None:
    for _ in range(100):
        connection.sendall(b"G")
        time.sleep(0.05)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_connection_that_asks_nothing_ends(url: str, said: bytes) -> None:
    with _connected(url) as connection:
        connection.sendall(said)
        assert _rest(connection) == b""


def test_a_head_in_drops_does_not_keep_a_connection(url: str) -> None:
    with _connected(url) as connection, pytest.raises(ConnectionError):
        _drip(connection)


def test_an_answer_that_nobody_takes_is_thrown_away(url: str) -> None:
    head = f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(SECONDS)
        place = urlsplit(url)
        connection.connect((place.hostname, place.port))
        connection.sendall(head.encode())
        # as a client that is stuck
        time.sleep(1.5)
        assert len(_rest(connection)) < WHOLE


def test_connections_that_are_used_are_kept(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        for _ in range(3):
            assert client.get("/login").status_code == 200
            time.sleep(0.1)
        assert len(client.get(LARGE).content) > WHOLE
