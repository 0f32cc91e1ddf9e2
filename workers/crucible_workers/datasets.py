"""Datasets by digest from the artifact store; the last few stay in memory."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_tasks.challenges import Dataset, decode
from crucible_workers.sandbox.repositories import keep_archive

#: a sweep's datasets at once; the largest published one takes some 100 MiB when decoded
_KEPT = 4

#: one decodes, the other threads of this worker wait for it instead of decoding it too
_lock = threading.Lock()


def load_dataset(digest: str) -> Dataset:
    """The dataset stored under this digest of its file.

    Raises ArtifactMissing or StorageError when the store cannot give it, FormatError when it is
    no dataset. Failures are not remembered.
    """
    with _lock:
        return _load(digest)


@lru_cache(maxsize=_KEPT)
def _load(digest: str) -> Dataset:
    # the digest names the content, so the store it came from does not matter
    dataset = decode(open_store(settings.current().artifacts_url).get(digest))
    for archive in dataset.archives:
        keep_archive(archive, hashlib.sha256(archive).hexdigest())
    return dataset
