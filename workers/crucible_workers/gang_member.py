"""One host's part of a training gang: its processes, told where to meet; it ends as they end.

    python -m crucible_workers.gang_member RANK HOSTS ADDRESS PORT PROCESSES TRAINER… JOB.json

RANK is this host's, ADDRESS the first host's. What torchrun would set for a static rendezvous is
set here (the processes meet at c10d's store on the first host), because torchrun answers whatever
happens with 1 and a page of text: whether it was asked to stop, which of its processes failed and
why would be lost. The trainer runs under torchrun as well.

Every process is told which network card leads to the others. Left alone, gloo and NCCL take the
address that the host's own name has, which on Debian is 127.0.1.1.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from crucible_infra import settings
from crucible_infra.errors import InvalidInput

#: Linux: the IPv4 address of a network card
_SIOCGIFADDR = 0x8915

#: seconds between two looks at the processes
_LOOK_SECONDS = 0.1

#: seconds that the others have to end by themselves after one has failed: they notice within one
_GRACE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a host stands in its gang."""

    rank: int
    hosts: int
    #: of the first host, as the others reach it
    address: str
    port: int
    #: on each host: one for each GPU, or one
    processes: int = 1

    def words(self, trainer: Sequence[str]) -> list[str]:
        """The command of this host's part, but for its job, as that of the trainer it runs."""
        facts = (self.rank, self.hosts, self.address, self.port, self.processes)
        return [sys.executable, "-m", "crucible_workers.gang_member", *map(str, facts), *trainer]

    def environment(self, local_rank: int) -> dict[str, str]:
        """What one of its processes must know."""
        card = card_towards(self.address)
        return {
            "RANK": str(self.rank * self.processes + local_rank),
            "LOCAL_RANK": str(local_rank),
            "WORLD_SIZE": str(self.hosts * self.processes),
            "LOCAL_WORLD_SIZE": str(self.processes),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
            "GLOO_SOCKET_IFNAME": card,
            "NCCL_SOCKET_IFNAME": card,
        }


def address_towards(name: str) -> str:
    """This host's own address, as it is where packets for another leave. Raises InvalidInput."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # nothing is sent: the kernel only chooses a route
            probe.connect((name, 9))
        except OSError as error:
            raise InvalidInput(f"no way to {name}: {error.strerror or error}") from error
        return str(probe.getsockname()[0])


def card_towards(name: str) -> str:
    """The network card that packets for an address leave through.

    Raises InvalidInput where none leads there.
    """
    own = address_towards(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, card in socket.if_nameindex():
            if _address_of(probe, card) == own:
                return card
    raise InvalidInput(f"no network card has the address {own}, which leads to {name}")


def run(membership: Membership, command: Sequence[str]) -> int:
    """Run this host's processes to their end and return how the first that failed has ended.

    A negative number is the signal that killed it.
    """
    processes = [
        subprocess.Popen(  # noqa: S603 -- our own program and arguments
            [*_tethered(), *command], env=settings.for_child(**membership.environment(rank))
        )
        for rank in range(membership.processes)
    ]

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        for process in processes:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    failed = _first_failure(processes)
    deadline = time.monotonic() + _GRACE_SECONDS
    while failed and _running(processes) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    for process in _running(processes):
        process.kill()
    for process in processes:
        process.wait()
    return failed


def main(words: list[str]) -> int:
    """Run the part these words name; die of what its process died of."""
    rank, hosts, address, port, processes, *command = words
    membership = Membership(int(rank), int(hosts), address, int(port), int(processes))
    try:
        code = run(membership, command)
    except InvalidInput as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    if code < 0:
        # SIGTERM would only be passed on
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _first_failure(processes: list[subprocess.Popen[bytes]]) -> int:
    """How the first process that did not end well has ended; 0 when all did."""
    while True:
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code]
        if failed:
            # one that was killed explains why the others lost it
            return min(failed)
        if None not in codes:
            return 0
        time.sleep(_LOOK_SECONDS)


def _running(processes: list[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    return [process for process in processes if process.poll() is None]


def _tethered() -> tuple[str, ...]:
    return (sys.executable, "-m", "crucible_workers.tether", str(os.getpid()))


def _address_of(probe: socket.socket, card: str) -> str | None:
    request = struct.pack("256s", card.encode()[:15])
    try:
        answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
    except OSError:
        # a card without an address
        return None
    return socket.inet_ntoa(answer[20:24])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
