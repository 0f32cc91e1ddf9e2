"""Directories as artifacts: the same bytes every time, and nothing but files comes out."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible_infra import bundles
from crucible_infra.artifacts import ArtifactStore, open_store
from crucible_infra.errors import ArtifactMissing, DiskFull, FormatError, InvalidInput

FILES = {"config.json": b"{}", "model.safetensors": b"\1" * 3_000_000, "sub/empty": b""}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return written(tmp_path / "model", FILES)


@pytest.fixture(params=["", "memory://"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return open_store(f"{request.param}{tmp_path}/store")


def written(directory: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory


def read(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def archive(*members: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


def member(name: str, **facts: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info


def test_a_directory_comes_back_from_the_store_as_it_was(
    model: Path, store: ArtifactStore, tmp_path: Path
) -> None:
    digest = bundles.store_directory(store, model)
    found = bundles.fetch_directory(store, digest, tmp_path / "cache" / digest)

    assert read(found) == FILES
    assert [path.name for path in found.parent.iterdir()] == [digest]


def test_equal_files_give_equal_bytes_whoever_wrote_them_and_when(
    model: Path, tmp_path: Path
) -> None:
    other = written(tmp_path / "other", dict(reversed(FILES.items())))
    os.utime(other / "config.json", (1, 1))
    (other / "config.json").chmod(0o600)

    assert b"".join(bundles.pack(other)) == b"".join(bundles.pack(model))


def test_any_tar_lists_a_bundle(model: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(bundles.pack(model)))) as tar:
        assert tar.getnames() == sorted(FILES)


def test_chunks_may_be_cut_anywhere(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").write_bytes(b"short")
    data = b"".join(bundles.pack(model))
    bundles.unpack((data[i : i + 7] for i in range(0, len(data), 7)), tmp_path / "out")

    assert read(tmp_path / "out") == read(model)


@pytest.mark.parametrize(
    "data",
    [
        archive(member("../out")),
        archive(member("a/../../out")),
        archive(member("/etc/passwd")),
        archive(member("a\\b")),
        archive(member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        archive(member("link", type=tarfile.LNKTYPE, linkname="a")),
        archive(member("folder", type=tarfile.DIRTYPE)),
        archive(member("device", type=tarfile.CHRTYPE)),
        archive(member("sparse", type=tarfile.GNUTYPE_SPARSE)),
        archive(member("twice"), member("twice")),
        archive(member("a", size=1), member("a/b")),
        archive(member("n" * 200)),
        archive(member("a"))[:100],
        archive(member("a")) + b"more",
        b"not an archive at all" * 100,
        b"",
    ],
    ids=lambda data: str(len(data)),
)
def test_nothing_but_plain_files_is_ever_unpacked(data: bytes, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    with pytest.raises(FormatError, match="not a bundle"):
        bundles.unpack((data,), inside / "out")

    assert list(tmp_path.rglob("*")) == [inside]


def test_a_damaged_artifact_is_called_damaged_and_leaves_nothing(
    model: Path, tmp_path: Path
) -> None:
    store = open_store(str(tmp_path / "store"))
    digest = bundles.store_directory(store, model)
    path = tmp_path / "store" / digest[:2] / digest
    for spoil in (path.read_bytes()[:-5000], path.read_bytes().replace(b"{}", b"[]")):
        path.write_bytes(spoil)
        with pytest.raises(ArtifactMissing, match="damaged"):
            bundles.fetch_directory(store, digest, tmp_path / "cache" / digest)

    assert list((tmp_path / "cache").iterdir()) == []
    assert bundles.store_directory(store, model) == digest
    assert bundles.fetch_directory(store, digest, tmp_path / "again")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda model: (model / "link").symlink_to("/etc/passwd"),
        lambda model: (model / "link").symlink_to("/etc"),
        lambda model: os.mkfifo(model / "pipe"),
        lambda model: (model / ("n" * 101)).touch(),
    ],
    ids=["a link", "a link to a folder", "a pipe", "a long name"],
)
def test_what_is_no_file_of_the_directory_is_refused(
    spoil: Callable[[Path], None], model: Path
) -> None:
    spoil(model)
    with pytest.raises(InvalidInput):
        list(bundles.pack(model))


def test_the_links_of_the_hub_s_cache_are_the_files_they_lead_to(tmp_path: Path) -> None:
    blobs = written(tmp_path / "models--a--b" / "blobs", {"0123": b"{}"})
    snapshot = tmp_path / "models--a--b" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to(blobs / "0123")
    bundles.unpack(bundles.pack(snapshot), tmp_path / "out")

    assert not (tmp_path / "out" / "config.json").is_symlink()
    assert read(tmp_path / "out") == {"config.json": b"{}"}


def test_a_file_that_changes_while_it_is_stored_leaves_no_artifact(
    model: Path, store: ArtifactStore
) -> None:
    turns = iter((b"first", b"second"))
    with pytest.raises(Exception, match="changed meanwhile"):
        store.put_chunks(lambda: (next(turns),))
    (model / "config.json").write_bytes(b"[]")
    with pytest.raises(ArtifactMissing):
        store.get("a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e")


def test_a_full_disk_is_named_and_leaves_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    chunks = list(bundles.pack(model))
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull):
        bundles.unpack(chunks, tmp_path / "cache" / "out")

    assert list((tmp_path / "cache").iterdir()) == []


def test_many_may_fetch_the_same_directory_at_once(model: Path, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    digest = bundles.store_directory(store, model)
    found: list[Path] = []

    def fetch() -> None:
        found.append(bundles.fetch_directory(store, digest, tmp_path / "cache" / "out"))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert read(found[0]) == FILES
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["out"]
