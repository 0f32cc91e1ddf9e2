"""Energy: what the GPUs of this host take while models sample, shared among the samples.

Between two marks, the begin or the end of a call, the same samples are under way, and each gets an
equal share of what the boards took meanwhile. So the shares of one process add up to all that was
taken while it sampled anything, the boards' own idle draw and failed calls included, and a sample
that waits for its turn bears a part of those it waits for.

The boards are those this process may use (CUDA_VISIBLE_DEVICES), which is what a worker beside a
server must be told where the server has others. Their counters do not tell who worked on them:
where two processes of a host sample at the same time on the same boards, each counts all of it, so
what both say is up to twice what was taken. One worker with more threads counts it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock

from crucible_infra.gpu_energy import Meter, energy_meter
from crucible_tasks.completion import Completion
from crucible_workers.models.interface import Model, SampleRequest


@dataclass(slots=True, eq=False)
class Call:
    """One call of a model."""

    samples: int
    #: so far; None once a part of it is not known
    joules: float | None = 0.0

    def bear(self, share: float | None) -> None:
        """Add what each sample under way has taken."""
        if share is None or self.joules is None:
            self.joules = None
        else:
            self.joules += share * self.samples


class EnergyAccount:
    """Divides what the meter counts among the calls under way. Thread-safe."""

    def __init__(self, find_meter: Callable[[], Meter | None]) -> None:
        #: looked for by the first call, once
        self._meter = cache(find_meter)
        self._lock = Lock()
        self._under_way: list[Call] = []
        self._last: float | None = None

    @contextmanager
    def call(self, samples: int) -> Iterator[Call]:
        """A call from its begin to its end, when its joules are known."""
        one = Call(samples)
        with self._lock:
            self._mark()
            self._under_way.append(one)
        try:
            yield one
        finally:
            with self._lock:
                self._mark()
                self._under_way.remove(one)

    def _mark(self) -> None:
        meter = self._meter()
        before, self._last = self._last, None if meter is None else meter()
        if not self._under_way:
            return
        taken = _difference(before, self._last)
        samples = sum(one.samples for one in self._under_way)
        for one in self._under_way:
            one.bear(None if taken is None else taken / samples)


#: of this process
ACCOUNT = EnergyAccount(energy_meter)


def measured(
    model: Model, request: SampleRequest, account: EnergyAccount = ACCOUNT
) -> tuple[Completion, ...]:
    """Sample, and note what each completion took where the GPUs are this host's."""
    if not model.is_on_gpus_here:
        return model.sample(request)
    with account.call(len(request.indices)) as call:
        found = model.sample(request)
    if call.joules is None:
        return found
    each = round(call.joules / len(found), 3)
    return tuple(replace(one, joules=each) for one in found)


def _difference(before: float | None, now: float | None) -> float | None:
    if before is None or now is None:
        return None
    # a driver that was loaded anew counts from zero
    return now - before if now >= before else None
