"""The sandbox: theory of operation, what it covers and what it does not.

Theory of operation
-------------------
A *slot* judges one program at a time and owns two *prisons*, opened once and kept warm.

The host
    (this process) starts both prisons, passes programs and file descriptors to them over a control
    socket each, and combines what the driver found with how the candidate ended.
A prison
    is an interpreter behind its own user, mount, network, IPC, UTS and process namespaces. Its root
    holds the Python runtime read-only, five devices and one writable place, `/box`. No `/proc`,
    `/etc`, `/home`, no interface but a loopback that is down. Started by root, its two users are
    two otherwise unused host users, and root is left behind before any program exists.
The zygote
    (first process of a prison) has imported the standard modules and forks one child per program.
The candidate
    (child of the candidates' zygote) gets a process namespace, a mount namespace and an empty
    `/box` (tmpfs of bounded size and file count) of its own; becomes a user without capabilities
    under `no_new_privs`, rlimits and a seccomp filter; then compiles and runs the program and
    answers calls. It holds no test and no expected value. When it ends or is killed, the kernel
    ends every process of its namespace and its file system disappears.
The challenge process and the driver
    (in the drivers' prison) load the tests once per challenge and fork one driver per program. The
    driver runs the tests; calls of the candidate cross a socket as typed plain data
    (`prison/values.py`), objects as stand-ins that answer no comparison (`prison/remote.py`). It
    writes the verdict to a pipe that no candidate ever sees, at the end of the tests.

Tests that inherit from, catch or type-check a class of the program cannot run outside it. They run
beside it and the verdict's mode says `shared`; whether they do depends on the tests alone.

Limits are CPU time, watched by the zygote through the process' CPU clock. Wall time (at least 20 s,
at least ten times the CPU limit) only catches programs that sleep, and what it catches is judged
again while no other slot works before it counts.

Covered
-------
exit and abort calls, patched builtins, forged output, `__eq__` objects, frame walking, reading or
editing the tests; secrets in the environment and on disk; network and local services; files,
processes, shared memory and semaphores left for the next program; forks, memory per process, disk,
output and CPU time; ptrace, mounts, namespaces within, keyrings, BPF, io_uring, 32-bit calls.

Not covered
-----------
Flaws of the kernel itself; memory of many processes together (each has its own limit; their number
is bounded); timing side channels between slots; programs that recognise the public examples and
answer nothing else. The `process` backend keeps the split verdict and the rlimits, and none of the
walls: it is no security boundary.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from crucible_tasks.challenge import Challenge, Limits
from crucible_tasks.verdict import Verdict


class Sandbox(Protocol):
    """Judges programs. Safe to use from several threads; each waits for a free slot."""

    def judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict per program, in their order.

        Args:
            challenge: a Python challenge.
            programs: whole programs, as extraction made them.
            limits: instead of the challenge's own.

        Raises:
            UnsupportedLanguage: the challenge is in a language without a sandbox.
            SandboxUnavailable: this host lacks a building block.
            UnusableTests: the challenge's own tests cannot be loaded.
            SandboxBroken: prisons die without a program's doing.
        """
        ...

    def prove(self) -> None:
        """Judge one harmless program; raises as `judge` does when it does not pass."""
        ...

    def close(self) -> None:
        """End every prison."""
        ...
