"""Leases: open models shared by the threads of a worker, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from crucible_infra.errors import EndpointDown, ModelNotFound
from crucible_workers.models.interface import Model


@dataclass(slots=True)
class _Lease:
    model: Model
    users: int = 0
    is_dropped: bool = False


class Leases:
    """Keeps the last few opened models; one in use is never closed under its user."""

    def __init__(self, opener: Callable[[str, str | None], Model], limit: int = 4) -> None:
        self._open = opener
        self._limit = limit
        self._lock = Lock()
        self._leases: OrderedDict[tuple[str, str | None], _Lease] = OrderedDict()
        #: one thread opens, the others wait for it instead of reading a large file twice
        self._opening: dict[tuple[str, str | None], Lock] = {}

    @contextmanager
    def model(self, spec: str, dataset: str | None) -> Iterator[Model]:
        """The open model; forgotten afterwards if its server went away."""
        key = (spec, dataset)
        lease = self._take(key)
        try:
            yield lease.model
        except (EndpointDown, ModelNotFound):
            # what comes back may be another server, or other weights
            self._drop(key, lease)
            raise
        finally:
            self._give_back(lease)

    def close(self) -> None:
        """Close every model nobody uses; the others when they are given back."""
        with self._lock:
            leases = list(self._leases.items())
        for key, lease in leases:
            self._drop(key, lease)

    def _take(self, key: tuple[str, str | None]) -> _Lease:
        with self._lock:
            opening = self._opening.setdefault(key, Lock())
        with opening:
            with self._lock:
                lease = self._leases.get(key)
                if lease is not None:
                    self._leases.move_to_end(key)
                    lease.users += 1
                    return lease
            lease = _Lease(self._open(*key), users=1)
            with self._lock:
                self._leases[key] = lease
            self._trim()
            return lease

    def _trim(self) -> None:
        with self._lock:
            idle = [(key, lease) for key, lease in self._leases.items() if not lease.users]
            surplus = idle[: max(0, len(self._leases) - self._limit)]
        for key, lease in surplus:
            self._drop(key, lease)

    def _drop(self, key: tuple[str, str | None], lease: _Lease) -> None:
        with self._lock:
            if self._leases.get(key) is lease:
                del self._leases[key]
                self._opening.pop(key, None)
            is_idle = lease.users == 0 and not lease.is_dropped
            lease.is_dropped = True
        if is_idle:
            lease.model.close()

    def _give_back(self, lease: _Lease) -> None:
        with self._lock:
            lease.users -= 1
            is_last = lease.is_dropped and lease.users == 0
        if is_last:
            lease.model.close()
