"""TLS in front of a plain server: what the Redis and the Postgres from wheels lack."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: how a Postgres client asks for TLS: a length of 8, and 1234.5679 as two halves of a number
_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")

Connect = Callable[[], socket.socket]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Two authorities, and what one of them has signed."""

    authority: Path
    other_authority: Path
    #: for `localhost`, and for no address
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Made by openssl, so that no library of ours decides what a certificate is."""
    for name in ("authority", "other"):
        _openssl(folder, f"req -x509 -days 2 -subj /CN={name} {_NEW} -keyout {name}.key", name)
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    signed = "-CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names"
    for name in ("server", "client"):
        _openssl(folder, f"req -subj /CN={name} {_NEW} -keyout {name}.key", f"{name}-request")
        _openssl(folder, f"x509 -req -in {name}-request.pem {signed}", name)
    # libpq refuses a key that others may read
    (folder / "client.key").chmod(0o600)
    names = ("authority.pem", "other.pem", "server.pem", "server.key", "client.pem", "client.key")
    return Certificates(*(folder / name for name in names))


#: an elliptic curve, because RSA keys take a second to find
_NEW = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def _openssl(folder: Path, words: str, name: str) -> None:
    command = ["openssl", *words.split(), "-out", f"{name}.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@contextmanager
def tls_front(
    certificates: Certificates,
    back: Connect,
    *,
    is_postgres: bool = False,
    asks_client: bool = False,
) -> Iterator[int]:
    """The port of `localhost` where TLS leads to that server, for the length of a block."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.authority)
    context.load_cert_chain(certificates.server, certificates.server_key)
    context.verify_mode = ssl.CERT_REQUIRED if asks_client else ssl.CERT_NONE
    with socket.create_server(("localhost", 0)) as listener:
        front = _Front(listener, context, back, is_postgres=is_postgres)
        thread = threading.Thread(target=front.run)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            front.is_over = True
            thread.join()


class _Front:
    """Accepts until it is over; each connection has a thread."""

    def __init__(
        self, listener: socket.socket, context: ssl.SSLContext, back: Connect, *, is_postgres: bool
    ) -> None:
        self.is_over = False
        self._listener, self._context, self._back = listener, context, back
        self._is_postgres = is_postgres

    def run(self) -> None:
        threads = []
        while not self.is_over:
            if select.select([self._listener], [], [], 0.05)[0]:
                accepted, _ = self._listener.accept()
                threads.append(threading.Thread(target=self._serve, args=(accepted,)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, accepted: socket.socket) -> None:
        # a refused handshake or a client that goes away is what the tests are about
        with accepted, suppress(OSError):
            if self._is_postgres:
                if accepted.recv(8, socket.MSG_WAITALL) != _SSL_REQUEST:
                    return
                accepted.sendall(b"S")
            with (
                self._context.wrap_socket(accepted, server_side=True) as front,
                self._back() as back,
            ):
                self._pass_on(front, back)

    def _pass_on(self, front: ssl.SSLSocket, back: socket.socket) -> None:
        while not self.is_over:
            ready = [front] if front.pending() else select.select([front, back], [], [], 0.05)[0]
            for one in ready:
                said = one.recv(65536)
                if not said:
                    return
                (back if one is front else front).sendall(said)
