"""The verdict cache: identical programs against identical tests are judged once, everywhere.

What is identical
    The program, the challenge's tests, entry point, language and the code its prompt brings, the
    limits, the grader, the kind of isolation, and the interpreter that runs programs here. The key
    is a digest of all of them, so hosts with another Python never share a verdict.
What may enter
    Verdicts that every judging would find: passed, failed, error and syntax_error, found with at
    most half of the CPU time there was (`_NEAR_LIMIT`), where neither program nor tests depend on
    luck (`luck`). Time-outs, memory, output and forbidden calls are near a limit or the host's
    doing; infra_error and missing are no verdicts. An error may be a signal, but the one that
    operators and the kernel send, SIGKILL, is no error: the sandbox judges it again.
    And only what custody has vouched for: canaries that were judged after it held. What a sick host
    found since its last good checkup never gets here.
What luck may touch
    is judged anew for every sample, also in one request: see `luck`.
    A run that is judged again (`crucible runs regrade`) asks for nothing that is remembered.
What is said of it
    Nothing: a verdict that was remembered is the verdict, with the CPU and wall time of the judging
    that found it. `judging` lines of a worker's log at DEBUG count both kinds.

Threats. An evaluation host that is taken over can write verdicts here for any program, under any
host's name, and so speaks for programs that it was never given, which the controller's tickets
would refuse; a signature would not help, for every worker would need the key. Other kinds of host
cannot, where each has its own user of Redis. What bounds it: one remembered
verdict in `SPOT_CHECK_EVERY` is judged again all the same, and where another outcome is found
(and vouched for) everything its host has written is void and the log says so, so a hundred
forged verdicts stay unnoticed with a chance of 13 %; a sick host's entries are void from the
moment its worker drains; and no entry lives longer than a week. Whoever trusts not all hosts
turns it off: CRUCIBLE_VERDICT_CACHE=off.
"""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Protocol

import msgspec

from crucible_infra import log, settings
from crucible_tasks.challenge import Challenge, Language, Limits
from crucible_tasks.planning import grader_label
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.datasets import load_dataset
from crucible_workers.luck import depends_on_luck, has_lucky_tests
from crucible_workers.sandbox.javascript.node import find_node
from crucible_workers.shared_verdicts import Remembered, SharedVerdicts

#: what every judging of the same program finds
LASTING = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SYNTAX_ERROR})

#: a host of half the speed would still find it
_NEAR_LIMIT = 0.5

#: 2 % of the work that the cache saves
SPOT_CHECK_EVERY = 50

#: verdicts that one process remembers when it works alone: Chen et al.'s 164 x 200; some 20 MiB
_OWN_VERDICTS = 32_800

#: challenges whose digest is remembered; that of a large one takes a millisecond
_DIGESTS = 4096


class Memory(Protocol):
    """Where verdicts are remembered; never raises, at worst it knows nothing."""

    def find(self, keys: Iterable[str]) -> dict[str, Remembered]:
        """What is known of these."""
        ...

    def add(self, verdicts: Mapping[str, Verdict]) -> None:
        """Remember what this host has found and vouches for."""
        ...

    def void(self, host: str) -> None:
        """Forget what this host has found so far."""
        ...


class OwnVerdicts:
    """The latest verdicts of one process; implements Memory."""

    def __init__(self, capacity: int = _OWN_VERDICTS) -> None:
        self._capacity = capacity
        self._host = socket.gethostname()
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[str, Remembered] = OrderedDict()

    def find(self, keys: Iterable[str]) -> dict[str, Remembered]:
        """What is known of these; they are the latest from now on."""
        found = {}
        with self._lock:
            for key in keys:
                if key in self._verdicts:
                    self._verdicts.move_to_end(key)
                    found[key] = self._verdicts[key]
        return found

    def add(self, verdicts: Mapping[str, Verdict]) -> None:
        """Remember these, and forget as many of the oldest as needed."""
        with self._lock:
            for key, verdict in verdicts.items():
                self._verdicts[key] = Remembered(verdict, self._host)
                self._verdicts.move_to_end(key)
            while len(self._verdicts) > self._capacity:
                self._verdicts.popitem(last=False)

    def void(self, host: str) -> None:
        """Forget everything: there is no other host."""
        del host
        with self._lock:
            self._verdicts.clear()


@dataclass(frozen=True, slots=True)
class Question:
    """What programs are judged against."""

    challenge: Challenge
    #: of the dataset that holds the challenge
    dataset: str
    #: None takes the challenge's own
    limits: Limits | None = None


class Recollection:
    """What is remembered of the programs of one request, and what is learned about them."""

    def __init__(self, memory: Memory | None, *, is_afresh: bool = False) -> None:
        self._memory = memory
        self._is_afresh = is_afresh
        self._limits = Limits()
        self._language = Language.OTHER
        self._prefix: bytes | None = None
        self._is_doubtful = True
        #: of each program that need not be judged
        self.found: dict[str, Verdict] = {}
        self._checked: dict[str, Remembered] = {}
        self._learned: dict[str, Verdict] = {}
        self._suspects: set[str] = set()

    def recall(self, question: Question, programs: Iterable[str]) -> None:
        """Look up what is known; some of it is left out, to be judged all the same."""
        challenge = question.challenge
        self._limits = question.limits or challenge.limits
        self._language = challenge.language
        facts = _facts(question.dataset, challenge.task_id)
        self._is_doubtful = facts.depends_on_luck
        if self._memory is None or self._is_doubtful:
            return
        self._prefix = _prefix(facts.digest, self._limits, self._language)
        if self._is_afresh:
            return
        keys = {self._key(program): program for program in programs}
        for key, known in self._memory.find(keys).items():
            if known.verdict.outcome not in LASTING:
                continue
            if secrets.randbelow(SPOT_CHECK_EVERY):
                self.found[keys[key]] = known.verdict
            else:
                self._checked[key] = known

    def is_lucky(self, program: str) -> bool:
        """Whether each sample with this text must be judged by itself."""
        return self._is_doubtful or depends_on_luck(program, self._language)

    def learn(self, program: str, verdict: Verdict) -> None:
        """Note what the sandbox found; nobody else hears of it before `publish`."""
        if self._prefix is None or verdict.outcome.is_ours:
            return
        key = self._key(program)
        known = self._checked.get(key)
        if known is not None:
            if known.verdict.outcome is verdict.outcome:
                return
            self._suspects.add(known.host)
        if self._is_lasting(verdict) and not self.is_lucky(program):
            self._learned[key] = verdict

    def publish(self) -> None:
        """Share what was learned; call it when canaries vouch for it."""
        if self._memory is None:
            return
        for host in sorted(self._suspects):
            log.error(
                "remembered_verdict_wrong",
                host=host,
                hint="its remembered verdicts are void; another sandbox there, or somebody forges",
            )
            self._memory.void(host)
        if self._learned:
            self._memory.add(self._learned)

    def _is_lasting(self, verdict: Verdict) -> bool:
        most = self._limits.cpu_seconds * _NEAR_LIMIT
        return verdict.outcome in LASTING and verdict.cpu_seconds <= most

    def _key(self, program: str) -> str:
        assert self._prefix is not None
        # 128 bits: no two programs meet by chance
        text = self._prefix + program.encode(errors="surrogatepass")
        return hashlib.sha256(text).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What of a challenge decides its verdicts."""

    digest: str
    depends_on_luck: bool


@lru_cache(maxsize=_DIGESTS)
def _facts(dataset: str, task_id: str) -> _Facts:
    challenge = load_dataset(dataset).by_id(task_id)
    part = (
        challenge.language,
        challenge.entry_point,
        challenge.prompt if challenge.prompt_is_code else "",
        msgspec.to_builtins(challenge.tests),
    )
    # escapes surrogates, which msgspec refuses
    digest = hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
    return _Facts(digest, has_lucky_tests(challenge))


def _prefix(challenge: str, limits: Limits, language: Language) -> bytes:
    """Everything that decides a verdict but the program, of one length for each of them."""
    backend = settings.current().sandbox_backend
    part = (challenge, asdict(limits), grader_label(), backend, _interpreter(language, backend))
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).digest()


def _interpreter(language: Language, backend: str) -> str:
    """What runs programs here. Raises SandboxUnavailable, as judging would."""
    if language is Language.JAVASCRIPT:
        return f"node {find_node(backend).version} {platform.machine()}"
    # one that a container brings may be any
    image = settings.current().container_image if backend == "container" else None
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python} {platform.machine()} {image}"


def shared_memory() -> Memory | None:
    """What this process' verdicts are remembered by; None where that is turned off."""
    return _memory_of(settings.current())


@lru_cache(maxsize=1)
def _memory_of(current: settings.Settings) -> Memory | None:
    if not current.remembers_verdicts:
        return None
    return OwnVerdicts() if current.is_embedded else SharedVerdicts()
