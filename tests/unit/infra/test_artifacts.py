"""The artifact store on a disk and on an fsspec file system."""

from __future__ import annotations

import errno
import hashlib
import threading
from pathlib import Path

import pytest

from crucible_infra.artifacts import ArtifactStore, open_store
from crucible_infra.errors import ArtifactMissing, DiskFull, InvalidInput, StorageError


@pytest.fixture(params=["folder", "file", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    urls = {
        "folder": str(tmp_path / "artifacts"),
        "file": f"file://{tmp_path}/artifacts",
        "fsspec": f"memory://{tmp_path.name}/artifacts",
    }
    return open_store(urls[request.param])


def test_what_is_put_can_be_got_by_its_sha256(store: ArtifactStore) -> None:
    digest = store.put(b"a dataset")

    assert digest == hashlib.sha256(b"a dataset").hexdigest()
    assert store.get(digest) == b"a dataset"


def test_putting_again_changes_nothing(store: ArtifactStore) -> None:
    assert store.put(b"twice") == store.put(b"twice")


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", ""])
def test_a_digest_nobody_put_is_missing(store: ArtifactStore, digest: str) -> None:
    with pytest.raises(ArtifactMissing):
        store.get(digest)


def test_a_damaged_artifact_is_never_returned_and_putting_repairs_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    digest = store.put(b"whole")
    (tmp_path / digest[:2] / digest).write_bytes(b"who")

    with pytest.raises(ArtifactMissing, match="damaged"):
        store.get(digest)
    store.put(b"whole")

    assert store.get(digest) == b"whole"


def test_a_full_disk_is_named_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull, match="no space"):
        open_store(str(tmp_path)).put(b"too much")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=str(tmp_path)):
        open_store(str(tmp_path / "file")).put(b"x")


@pytest.mark.parametrize("url", ["nosuchscheme://bucket/folder", "s3://bucket/folder"])
def test_a_scheme_nobody_knows_says_what_to_install(url: str) -> None:
    with pytest.raises(InvalidInput, match="cannot open") as caught:
        open_store(url)

    assert "install" in (caught.value.hint or "")


def test_many_threads_may_put_the_same_bytes(tmp_path: Path) -> None:
    store, digests = open_store(str(tmp_path)), list[str]()
    data = b"x" * 1_000_000
    threads = [threading.Thread(target=lambda: digests.append(store.put(data))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(digests) == 8
    assert store.get(digests[0]) == data
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
