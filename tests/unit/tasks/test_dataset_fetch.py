"""Fetching a dataset's file from a real HTTP server that may misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crucible_infra.errors import CrucibleError, DatasetUnavailable, FormatError
from crucible_tasks.challenges.fetch import Source, fetch

CONTENT = b'{"a": 1}\n'


class _Home(BaseHTTPRequestHandler):
    """A dataset's home; the path says how it behaves."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == "/file.jsonl":
            self._answer(200, {"Content-Length": str(len(CONTENT))})
            self.wfile.write(CONTENT)
        elif self.path == "/cut":
            self._answer(200, {"Content-Length": "1000"})
            self.wfile.write(CONTENT)
        elif self.path == "/moved":
            self._answer(302, {"Location": "/file.jsonl"})
        else:
            self._answer(404, {})

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    _Home.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Home) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _source(url: str, content: bytes = CONTENT) -> Source:
    digest = hashlib.sha256(content).hexdigest()
    return Source(url, "deep/file.jsonl", digest, "CC0-1.0")


def _failure(source: Source, directory: Path) -> CrucibleError:
    with pytest.raises(DatasetUnavailable) as caught:
        fetch(source, directory)
    path = directory / source.file_name
    assert caught.value.exit_code == 2
    assert source.url in caught.value.message
    assert caught.value.hint == f"download that file on another machine and put it at {path}"
    assert not list(directory.rglob("*.*")), "nothing half-finished is left"
    return caught.value


def test_a_file_is_fetched_once(home: str, tmp_path: Path) -> None:
    source = _source(f"{home}/file.jsonl")
    path = fetch(source, tmp_path)
    assert path == tmp_path / "deep" / "file.jsonl"
    assert path.read_bytes() == CONTENT
    assert fetch(source, tmp_path) == path
    assert _Home.asked == ["/file.jsonl"]
    assert [item.name for item in path.parent.iterdir()] == ["file.jsonl"]


def test_a_file_dropped_in_place_needs_no_network(tmp_path: Path) -> None:
    source = _source("https://never.invalid/file.jsonl")
    path = tmp_path / source.file_name
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    assert fetch(source, tmp_path) == path


def test_a_dropped_file_with_other_content_is_refused(tmp_path: Path) -> None:
    source = _source("https://never.invalid/file.jsonl")
    path = tmp_path / source.file_name
    path.parent.mkdir()
    path.write_bytes(b"other")
    with pytest.raises(FormatError) as caught:
        fetch(source, tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith(f"{path}: sha256 d9298a10d1b0… is not the official")
    assert path.read_bytes() == b"other"


def test_no_network_names_the_file_to_drop_in_place(tmp_path: Path) -> None:
    # port 9 of the local host: refused at once
    assert "refused" in _failure(_source("http://127.0.0.1:9/file.jsonl"), tmp_path).message


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("gone", "HTTP 404 Not Found"),
        ("moved", "/file.jsonl, which is not https"),
        ("cut", "the answer ended after 9 of 1000 bytes"),
    ],
)
def test_a_home_that_misbehaves_is_reported(
    home: str, tmp_path: Path, page: str, reason: str
) -> None:
    assert reason in _failure(_source(f"{home}/{page}"), tmp_path).message


def test_changed_content_is_never_stored(home: str, tmp_path: Path) -> None:
    source = _source(f"{home}/file.jsonl", b"what was published")
    assert "it answered sha256 " in _failure(source, tmp_path).message


def test_a_cache_that_cannot_be_written_is_named(home: str, tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file where a directory should be")
    with pytest.raises(DatasetUnavailable, match=r"deep/file\.jsonl: cannot be written"):
        fetch(_source(f"{home}/file.jsonl"), tmp_path)
