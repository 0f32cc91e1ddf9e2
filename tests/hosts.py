"""Hosts with addresses of their own: network namespaces on one switch, whose links can be cut."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services import ServiceMissing

#: exists only behind the switch: nothing outside can reach it or be reached
SUBNET = "10.77.0"

#: what a host needs of the machine it is made on
_PROGRAMS = ("ip", "nsenter")

#: several networks of one process must not share names
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Host:
    """One host; its files and processes are this machine's, its network is its own."""

    name: str
    position: int
    _prefix: str

    @property
    def address(self) -> str:
        return f"{SUBNET}.{self.position}"

    @property
    def namespace(self) -> str:
        return f"{self._prefix}-{self.name}"

    @property
    def hardware(self) -> str:
        """The address of its network card."""
        return f"02:00:00:00:00:{self.position:02x}"

    @property
    def _port(self) -> str:
        return f"port{self.position}"

    @property
    def _switch(self) -> str:
        return f"{self._prefix}-switch"

    def command(self, words: Sequence[str], user: int | None = None) -> list[str]:
        """The words that run these words on this host, as this user."""
        # not `ip netns exec`, which mounts /sys anew and so hides the cgroups
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}"]
        whose = [] if user is None else [f"--setuid={user}", f"--setgid={user}"]
        return [*enter, *whose, *words]

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program on this host; whoever started it ends it."""
        # a terminal's Ctrl-C is for whoever started it, who ends it in order
        return subprocess.Popen(self.command(words), start_new_session=True, **options)

    def cut(self) -> None:
        """Every packet from and to this host vanishes, and nobody is told."""
        # not `link set down`: a host that sees its link go is told
        _ip("-n", self._switch, "link", "set", self._port, "nomaster")

    def pull(self) -> None:
        """Its network card loses the link, as when somebody pulls the cable."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def heal(self, others: Sequence[Host] = ()) -> None:
        """As if nothing had been; `others` are the hosts it knows, which a pulled cable forgets."""
        _ip("-n", self._switch, "link", "set", self._port, "master", "bridge")
        _ip("-n", self.namespace, "link", "set", "eth0", "up")
        for other in others:
            self.meet(other)

    def plug(self) -> None:
        """Make its namespace and connect it to the switch."""
        _ip("netns", "add", self.namespace)
        card = f"link add eth0 address {self.hardware} netns {self.namespace} type veth"
        _ip(*card.split(), "peer", "name", self._port, "netns", self._switch)
        _ip("-n", self._switch, *f"link set {self._port} master bridge up".split())
        _ip("-n", self.namespace, *f"address add {self.address}/24 dev eth0".split())
        for link in ("eth0", "lo"):
            _ip("-n", self.namespace, "link", "set", link, "up")

    def meet(self, other: Host) -> None:
        """Know the other's card for ever: a cut must not show as "no route to host"."""
        known = f"neighbour replace {other.address} lladdr {other.hardware} nud permanent"
        _ip("-n", self.namespace, *known.split(), "dev", "eth0")


@dataclass(slots=True)
class Network:
    """Hosts that reach each other and nobody else."""

    hosts: dict[str, Host] = field(default_factory=dict)
    _prefix: str = field(default_factory=lambda: f"crucible{os.getpid()}-{next(_numbers)}")

    def open(self, names: Sequence[str]) -> None:
        """Make the switch and the hosts. Raises ServiceMissing where that is not allowed."""
        _refuse_if_impossible()
        try:
            _ip("netns", "add", self._switch)
            _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "bridge", "up")
            for position, name in enumerate(names, start=1):
                self.hosts[name] = Host(name, position, self._prefix)
                self.hosts[name].plug()
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode().strip()
            raise ServiceMissing(f"no network namespaces here: {said}") from error
        for one, other in itertools.permutations(self.hosts.values(), 2):
            one.meet(other)

    def heal(self) -> None:
        """Connect every host again."""
        hosts = list(self.hosts.values())
        for host in hosts:
            host.heal([other for other in hosts if other is not host])

    def close(self) -> None:
        """Remove all of it; the links end with the namespaces."""
        for namespace in (*(host.namespace for host in self.hosts.values()), self._switch):
            if Path("/run/netns", namespace).exists():
                _ip("netns", "delete", namespace)
        self.hosts.clear()

    @property
    def _switch(self) -> str:
        return f"{self._prefix}-switch"


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Hosts of these names, removed at the end. Raises ServiceMissing."""
    made = Network()
    try:
        made.open(names)
        yield made
    finally:
        made.close()


def _refuse_if_impossible() -> None:
    if os.geteuid() != 0:
        raise ServiceMissing("network namespaces need root")
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            raise ServiceMissing(f"network namespaces need the program {program}")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
