"""A client and what can be at the other end: a server that wants a token, is away, or is none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from crucible_api import __version__
from crucible_api.http.application import build
from crucible_api.http.forms import Version
from crucible_api.http.guard import Rules
from crucible_api.http.server import listen
from crucible_api.http.services import Services
from crucible_api.remote import connection
from crucible_api.remote.artifacts import RemoteArtifacts
from crucible_api.remote.connection import Server
from crucible_api.remote.runs import RemoteRuns
from crucible_api.reports import RunInfo
from crucible_infra.errors import CrucibleError, InvalidInput, ServerUnavailable
from crucible_tasks.outages import OUTAGES
from filled_database import Filled, fill
from served import RULES, answering, open_filled_services

TOKEN = "a-token-of-the-test"

#: seconds for a thread of an observer to hear something
PATIENCE = 20.0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    found = open_filled_services(tmp_path_factory.mktemp("served"))
    yield found
    found.runs.database.close()


@pytest.fixture(scope="module")
def filled(services: Services) -> Filled:
    return fill(services.runs.database, services.runs.artifacts)


@contextmanager
def answering_as(
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    asked: list[str] | None = None,
) -> Iterator[str]:
    """Some other server; `asked` gets the methods of its requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.command)
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the library's word

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _refused(url: str, token: str | None = None) -> CrucibleError:
    with closing(Server(url, token)) as server, pytest.raises(CrucibleError) as caught:
        tuple(server.pages("/runs", RunInfo, 1))
    return caught.value


@contextmanager
def _runs(url: str, outage_seconds: float = 1.0) -> Iterator[RemoteRuns]:
    with closing(Server(url, None)) as server:
        yield RemoteRuns(server, RemoteArtifacts(server), outage_seconds)


def test_a_token_is_asked_for_and_never_told(services: Services) -> None:
    rules = Rules(RULES.hosts, is_good=lambda text: text == TOKEN)
    with answering(services, rules) as url:
        without, wrong = _refused(url), _refused(url, "a-wrong-token")
        with closing(Server(url, TOKEN)) as server:
            found = server.get("/version", Version)

    assert found.version == __version__
    for error in (without, wrong):
        assert isinstance(error, InvalidInput)
        assert "CRUCIBLE_TOKEN" in (error.hint or "")
        assert "a-wrong-token" not in f"{error.message} {error.hint}"
    assert "wants a token" in without.message
    assert "does not accept" in wrong.message


def test_a_token_that_is_revoked_while_a_run_is_followed_leaves_the_run(
    services: Services, filled: Filled
) -> None:
    good = [TOKEN]
    rules = Rules(RULES.hosts, is_good=lambda text: text in good)
    with answering(services, rules) as url, closing(Server(url, TOKEN)) as server:
        found = RemoteRuns(server, RemoteArtifacts(server), PATIENCE)
        # more than have a stream each
        run_ids = [filled.running, filled.planned, filled.large, filled.small, filled.toy]
        with found.observed(run_ids, _nothing) as observer:
            observer.progress(filled.toy)
            good.clear()
            with pytest.raises(InvalidInput, match="does not accept") as caught:
                _wait(lambda: observer.progress(filled.running).is_over)

    assert "the run goes on: crucible runs follow SWEEP" in (caught.value.hint or "")


def test_an_address_with_too_much_or_too_little_is_told_so(services: Services) -> None:
    with answering(services) as url:
        for place in ("/api/v1", "/runs", "/api/v1/runs"):
            assert _refused(url + place).hint == f"CRUCIBLE_SERVER={url}, without a path"
        assert _refused(url.replace("http", "https")).hint == (
            f"does it speak TLS? CRUCIBLE_SERVER={url} if not"
        )


def test_what_only_the_servers_host_can_mend_says_where() -> None:
    body = (
        b'{"type":"urn:codecrucible:broker-unavailable","title":"x","status":503,'
        b'"detail":"away","hint":"start Redis there"}'
    )
    with answering_as(503, body, {"Content-Type": "application/problem+json"}) as url:
        assert _refused(url).hint == "on the server's host: start Redis there"


def test_a_server_with_another_name_says_so(services: Services) -> None:
    with answering(services, Rules(frozenset({"other.example"}))) as url:
        assert "another name" in _refused(url).message


def test_nobody_at_the_address_is_one_error_with_what_to_do() -> None:
    with listen("127.0.0.1", 0) as bound:
        url = bound.url
    error = _refused(url)

    assert isinstance(error, ServerUnavailable)
    assert error.exit_code == 1
    assert "crucible serve" in (error.hint or "")


def test_an_answer_without_an_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_BYTES", 2**20)
    for status, kind in ((200, "application/json"), (404, "application/problem+json")):
        with answering_as(status, bytes(2**21), {"Content-Type": kind}) as url:
            assert "more than 1 MiB" in _refused(url).message
    with (
        answering_as(200, b"data: " + b"a" * 2**21) as url,
        closing(Server(url, None)) as server,
        pytest.raises(CrucibleError, match="more than 1 MiB"),
    ):
        list(server.events("/runs/one/events"))


def test_a_list_without_an_end_is_not_followed() -> None:
    with (
        answering_as(200, b'{"items":[],"next":"a"}') as url,
        closing(Server(url, None)) as server,
        pytest.raises(CrucibleError, match="no end"),
    ):
        list(server.pages("/runs", RunInfo))


def test_a_redirect_to_nonsense_is_told_like_any_other() -> None:
    with answering_as(302, b"", {"Location": "http://[evil"}) as url:
        error = _refused(url)

    assert "elsewhere" in error.message
    assert error.hint is None


def test_a_changing_request_is_never_sent_twice() -> None:
    asked: list[str] = []
    with (
        answering_as(502, b"away", asked=asked) as url,
        _runs(url) as runs,
        pytest.raises(ServerUnavailable, match="does not answer") as caught,
    ):
        runs.stop("run")

    assert asked == ["POST"]
    assert "not known" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("status", "body", "headers", "told"),
    [
        (200, b"<html>hello</html>", {}, "does not speak as"),
        (404, b"<html>no</html>", {}, "does not speak as"),
        (301, b"", {"Location": "https://elsewhere.example/x"}, "elsewhere"),
        (502, b"bad gateway", {}, "does not answer"),
        (
            404,
            b'{"type":"about:blank","title":"Not Found","status":404,"detail":"Not Found"}',
            {"Content-Type": "application/problem+json"},
            "knows no such request",
        ),
        (
            500,
            b'{"type":"urn:codecrucible:of-the-future","title":"x","status":500,"detail":"new"}',
            {"Content-Type": "application/problem+json"},
            "new",
        ),
    ],
)
def test_whatever_else_answers_is_told_in_a_line(
    status: int, body: bytes, headers: dict[str, str], told: str
) -> None:
    with answering_as(status, body, headers) as url:
        error = _refused(url)

    assert told in error.message
    assert "\n" not in error.message


def test_another_version_is_named_where_its_answer_is_not_understood() -> None:
    with answering_as(200, b'{"version": "9.9.9", "is_embedded": true}') as url:
        error = _refused(url)

    assert "9.9.9" in error.message
    assert __version__ in error.message


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with (
        answering_as(200, b"no tar at all" * 100) as url,
        _runs(url) as runs,
        pytest.raises(CrucibleError, match="export"),
    ):
        runs.export("run", tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


def test_a_server_that_comes_back_is_heard_again(services: Services, filled: Filled) -> None:
    run_id = filled.running
    first = _Host(services)
    with _runs(first.url, PATIENCE) as runs, runs.observed([run_id], _nothing) as observer:
        _wait(lambda: observer.progress(run_id).state == "running")
        first.stop()
        _wait(lambda: any(one.server == first.url for one in OUTAGES.now()))
        assert observer.progress(run_id).state == "running"
        second = _Host(services, first.port)
        _wait(lambda: all(one.server != first.url for one in OUTAGES.now()))
        services.runs.stop(run_id)
        _wait(lambda: observer.progress(run_id).state == "stopped")
        second.stop()


def test_a_server_that_stays_away_ends_the_observation(services: Services, filled: Filled) -> None:
    host = _Host(services)
    many = [filled.planned, *[filled.interrupted] * 5]
    with _runs(host.url, 0.5) as runs, runs.observed(many, _nothing) as observer:
        _wait(lambda: observer.progress(filled.planned).planned > 0)
        host.stop()
        with pytest.raises(ServerUnavailable, match="waited") as caught:
            _wait(lambda: observer.progress(filled.planned).planned < 0)
    OUTAGES.answered(host.url)

    assert "crucible runs follow" in (caught.value.hint or "")


def _nothing() -> None:
    """What to do while nothing is known."""


class _Host:
    """A server that a test can end and start again at its port."""

    def __init__(self, services: Services, port: int = 0) -> None:
        self._bound = listen("127.0.0.1", port)
        bound = self._bound.__enter__()
        self.url = bound.url
        self.port = int(bound.url.rpartition(":")[2])
        config = uvicorn.Config(
            build(services, RULES), log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        arguments: dict[str, Any] = {"sockets": [bound.socket]}
        self._thread = threading.Thread(target=self._server.run, kwargs=arguments)
        self._thread.start()
        _wait(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        self._bound.__exit__(None, None, None)


def _wait(is_so: Callable[[], bool]) -> None:
    event = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if is_so():
            return
        event.wait(0.02)
    raise AssertionError("it did not happen")
