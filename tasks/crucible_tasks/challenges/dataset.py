"""A dataset: a versioned set of challenges, and its form in the artifact store."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.challenge import Challenge

#: level 1 takes a tenth of level 9's time and a quarter more space
_GZIP_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Dataset:
    """Challenges in their publisher's order, under one digest."""

    name: str
    #: sha256 over the JSON of the challenges; neither the name nor the source file enters it
    digest: str
    #: the format its rows had
    format: str
    #: what the digest covers is not compared again
    challenges: tuple[Challenge, ...] = field(compare=False, repr=False)
    #: packed snapshots of repositories, which their challenges name by sha256
    archives: tuple[bytes, ...] = field(default=(), compare=False, repr=False)
    _by_id: dict[str, Challenge] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        index = {challenge.task_id: challenge for challenge in self.challenges}
        object.__setattr__(self, "_by_id", index)

    def by_id(self, task_id: str) -> Challenge:
        """Return one challenge; raises InvalidInput when the dataset has no such id."""
        try:
            return self._by_id[task_id]
        except KeyError as error:
            raise InvalidInput(
                f"{self.name} has no challenge {task_id!r}",
                hint=f"its ids look like {next(iter(self._by_id), '')!r}",
            ) from error


class _Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored; the challenges stay bytes until their digest is checked."""

    name: str
    digest: str
    format: str
    challenges: msgspec.Raw
    archives: tuple[bytes, ...] = ()


def create(
    name: str,
    source_format: str,
    challenges: Iterable[Challenge],
    archives: tuple[bytes, ...] = (),
) -> Dataset:
    """Make a dataset and its digest.

    Raises UnicodeEncodeError when a text holds half a surrogate pair, which no UTF-8 file can.
    """
    kept = tuple(challenges)
    digest = _digest(msgspec.json.encode(kept))
    return Dataset(name, digest, source_format, kept, archives)


def select(
    dataset: Dataset, limit: int | None = None, task_ids: Iterable[str] | None = None
) -> Dataset:
    """Keep the challenges with these ids, and of those the first `limit`, in dataset order.

    The name stays; the digest tells that this is another set. Raises InvalidInput for an id the
    dataset does not have and for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise InvalidInput(f"a limit of {limit} leaves no challenge", hint="use 1 or more")
    chosen = dataset.challenges
    if task_ids is not None:
        wanted = {dataset.by_id(task_id).task_id for task_id in task_ids}
        chosen = tuple(challenge for challenge in chosen if challenge.task_id in wanted)
    if not chosen:
        raise InvalidInput(f"no challenge of {dataset.name} was chosen", hint="name at least one")
    if len(chosen[:limit]) == len(dataset.challenges):
        return dataset
    return create(dataset.name, dataset.format, chosen[:limit], dataset.archives)


def encode(dataset: Dataset) -> bytes:
    """Return the dataset as gzipped JSON; the same dataset gives the same bytes."""
    challenges = msgspec.Raw(msgspec.json.encode(dataset.challenges))
    envelope = _Envelope(dataset.name, dataset.digest, dataset.format, challenges, dataset.archives)
    return gzip.compress(msgspec.json.encode(envelope), _GZIP_LEVEL, mtime=0)


def decode(content: bytes) -> Dataset:
    """Read what `encode` wrote; raises FormatError when it is damaged or was changed."""
    try:
        envelope = msgspec.json.decode(gzip.decompress(content), type=_Envelope)
        challenges = msgspec.json.decode(envelope.challenges, type=tuple[Challenge, ...])
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise FormatError(f"a stored dataset cannot be read: {error}") from error
    if _digest(bytes(envelope.challenges)) != envelope.digest:
        raise FormatError(f"the stored dataset {envelope.name} does not have its digest")
    return Dataset(envelope.name, envelope.digest, envelope.format, challenges, envelope.archives)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
