"""The sandbox: theory of operation, what it covers and what it does not.

Theory of operation
-------------------
A *slot* judges one program at a time and owns two *prisons*, opened once and kept warm, on one
core: its processes take turns, and waking one on another core costs more than most calls.

The host
    (this process) starts both prisons, hands batches of programs to the driver's, and combines what
    the driver found with how the candidate ended (`deaths.py`).
A prison
    is an interpreter behind its own user, mount, network, IPC, UTS and process namespaces. Its root
    holds the Python runtime read-only, five devices and a writable place below `/box`. No `/proc`,
    `/etc`, `/home`, no interface but a loopback that is down. Started by root, its two users are
    two otherwise unused host users, and root is left behind before any program exists. It is two
    processes: the outer one may still mount; the inner one is the zygote, under `no_new_privs`,
    the seccomp filter and, where the kernel has it, landlock, which every child inherits. Where the
    host grants a cgroup, memory and processes of everything in a prison are bounded together.
The zygote
    has imported the standard modules, has rehearsed a judging so that no child does anything first,
    and keeps one child waiting for an order, forked before anybody asked.
The candidate
    (that child) has a process namespace of its own and a box found empty; it is a user without
    capabilities under rlimits; then it compiles and runs the program and answers calls. It holds
    no test and no expected value. When it ends or is killed, the kernel ends every process of its
    namespace. A plain program, by its bytecode (`prison/plainness.py`), can leave nothing behind,
    so the child that ran it runs the next one of its batch (`prison/programs.py`); what goes wrong
    in such a child is judged again in a new one. The box is a tmpfs of bounded size and file
    count; it is mounted anew unless the kernel's own figures (free blocks, free inodes, change
    times) say that nobody wrote to it.
The challenge process
    (in the drivers' prison) loads the tests once per challenge and runs them for each program:
    itself, where tests keep no state (`prison/statefulness.py`), else in a fork per program. Calls
    of the candidate cross a socket as typed plain data (`prison/values.py`), objects as stand-ins
    that answer no comparison (`prison/remote.py`). What the last candidate was asked, the next one
    is asked ahead (`prison/foresight.py`). The verdict is made here, at the end of the tests.

Tests that inherit from, catch or type-check a class of the program cannot run outside it. They run
beside it and the verdict's mode says `shared`; whether they do depends on the tests alone.

JavaScript is judged the same way by Node processes in the same kind of prison
(`javascript/slot.py`): plain computation in a fresh realm of a prepared process, every other
program in a process of its own.

Challenges from a repository have prisons of their own (`repository_slot.py`). The driver holds the
repository and its tests, collected by pytest, with a stand-in where the function's code was
(`prison/repository.py`); the candidate holds the repository's modules with a hole there, which the
program fills (`prison/placed.py`), and neither tests nor the original. What both sides have crosses
by name (`prison/namings.py`). Tests that cannot be driven this way make no challenge. Those of a
JavaScript repository are run by Node's own runner, one file in a process, with a hole in the text
of one module, and a program fills the same hole in another process that holds no test
(`javascript/repository_slot.py`).

Limits are CPU time, watched by the zygote through the process' CPU clock. The wall guard (at least
20 s, at least ten times the CPU limit) counts only time in which a program neither ran nor waited
for a core, and what it ends is judged again while no other slot works before it counts. A program
or a prison that somebody else kills is judged again; the kernel's own counters tell its memory
killer from an operator.

Covered
-------
exit and abort calls, patched builtins, forged output, `__eq__` objects, frame walking, reading or
editing the tests; secrets in the environment and on disk; network and local services; files,
processes, shared memory and semaphores left for the next program; forks, memory per process, disk,
output and CPU time; ptrace, mounts, namespaces within, keyrings, BPF, io_uring, 32-bit calls.

Not covered
-----------
Flaws of the kernel itself; memory of many processes together where no cgroup can be had (each has
its own limit; their number is bounded); timing side channels between slots; programs that recognise
the public examples and answer nothing else; a flaw of CPython or V8 that lets plain computation
reach the next answer to the same challenge, never out of the prison. The `container` backend runs
each prison in a container and does by hand what a namespace per program does elsewhere
(`prison/container.py`). The `process` backend keeps the split verdict and the rlimits, and none of
the walls: it is no security boundary.
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
            challenge: one in Python or JavaScript.
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
