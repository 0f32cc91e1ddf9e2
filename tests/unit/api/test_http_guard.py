"""Who gets past the guard, and what everybody else is told; asked over real sockets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from crucible_api.http import guard
from crucible_api.http.guard import COOKIE, Rules
from crucible_api.http.tries import Tries
from crucible_infra import settings
from served import answering, open_filled_services

GOOD = "a-token-that-lets-somebody-in"

#: what a browser says of a page of another site, and of a server's own
FOREIGN = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


#: where does this body end?
TWO_LENGTHS = b"Content-Length: 5\r\nTransfer-Encoding: chunked"


@dataclass(frozen=True, slots=True)
class Doors:
    """The same server three times."""

    #: asks for no token, and is known by three names
    open: str
    #: asks for a token, and answers to any name
    locked: str
    #: the same, and gives nobody a second wrong try
    strict: str


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    services = open_filled_services(tmp_path_factory.mktemp("guard"))
    rules = Rules(None, lambda token: token == GOOD, Tries(seconds=0.0))
    strict = Rules(None, lambda token: token == GOOD, Tries(most=0))
    with ExitStack() as stack:
        yield Doors(
            stack.enter_context(answering(services)),
            stack.enter_context(answering(services, rules)),
            stack.enter_context(answering(services, strict)),
        )
    services.runs.database.close()


def _raw(url: str, request: bytes) -> tuple[int, bytes]:
    """What a client that keeps to no rules is answered."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "[::1]:8642"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "evil.example:localhost"}, 403),
        ({"Host": "localhost@evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_the_api_is_read_by_this_servers_names_and_pages(
    doors: Doors, headers: dict[str, str], status: int
) -> None:
    answer = httpx.get(f"{doors.open}/api/v1/version", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(("application/json", "application/problem"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        (FOREIGN, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[bad"}, 403),
    ],
)
def test_no_other_site_changes_anything(doors: Doors, headers: dict[str, str], status: int) -> None:
    answer = httpx.post(f"{doors.open}/api/v1/runs/nobody/stop", headers=headers)
    assert answer.status_code == status


def test_a_server_is_its_own_origin(doors: Doors) -> None:
    answer = httpx.post(f"{doors.open}/api/v1/runs/nobody/stop", headers={"Origin": doors.open})
    assert answer.status_code == 404


def test_a_link_of_another_site_leads_to_a_page(doors: Doors) -> None:
    assert httpx.get(f"{doors.open}/runs", headers=FOREIGN).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {GOOD}"},
        {"Authorization": f"bearer  {GOOD}"},
        {"Cookie": f"{COOKIE}={GOOD}"},
    ],
)
def test_a_token_lets_its_owner_in(doors: Doors, headers: dict[str, str]) -> None:
    assert httpx.get(f"{doors.locked}/api/v1/version", headers=headers).status_code == 200
    assert httpx.get(f"{doors.locked}/runs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {GOOD}"},
        {"Authorization": GOOD},
        {"Authorization": "Bearer wrong", "Cookie": f"{COOKIE}={GOOD}"},
        {"Cookie": f"{COOKIE}=wrong"},
        # whatever a request calls the server, its path is what is routed
        {"Host": "localhost/login?"},
        {"Host": "localhost/static/"},
        {"Host": "localhost/login#"},
        {"X-Forwarded-Prefix": "/login"},
    ],
)
def test_without_a_token_nobody_gets_in(doors: Doors, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{doors.locked}/api/v1/version", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["status"] == 401
    page = httpx.get(f"{doors.locked}/runs", headers=headers)
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/runs")
    found = httpx.get(f"{doors.locked}/compare?a=one&b=two").headers["location"]
    assert found == "/login?next=/compare%3Fa%3Done%26b%3Dtwo"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../api/v1/version",
        "/static/%2e%2e/api/v1/version",
        "/login/../api/v1/version",
        "//login",
        "/login/",
        "http://localhost/login/api/v1/version",
        "/%61pi/v1/version",
    ],
)
def test_no_way_of_writing_a_path_leads_around_the_token(doors: Doors, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, body = _raw(doors.locked, request.encode())
    assert status in (303, 401, 404)
    assert b"is_embedded" not in body


def test_wrong_tokens_are_sent_away_where_too_many_wait(doors: Doors) -> None:
    headers = {"Authorization": "Bearer wrong"}
    answer = httpx.get(f"{doors.strict}/api/v1/version", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert httpx.get(f"{doors.strict}/api/v1/version").status_code == 401
    page = httpx.post(f"{doors.strict}/login", content=b"token=wrong")
    assert page.status_code == 429
    good = {"Authorization": f"Bearer {GOOD}"}
    assert httpx.get(f"{doors.strict}/api/v1/version", headers=good).status_code == 200


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /api/v1/version HTTP/1.1", 400),
        (b"GET /api/v1/version HTTP/1.0", 403),
        (b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nHost: evil.example", 400),
        (b"TRACE /api/v1/version HTTP/1.1\r\nHost: localhost", 405),
        (b"BREW /api/v1/version HTTP/1.1\r\nHost: localhost", 405),
        (b"OPTIONS /api/v1/version HTTP/1.1\r\nHost: localhost", 405),
        (b"GET http://localhost/api/v1/version HTTP/1.1\r\nHost: localhost", 404),
        (b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000, 431),
        (b"GET /api/v1/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost", 414),
        (b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000", 413),
        (b"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1", 400),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000", 413),
        (b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + TWO_LENGTHS, 400),
    ],
)
def test_what_no_client_should_send_is_refused(
    doors: Doors, request_line: bytes, status: int
) -> None:
    found, _ = _raw(doors.open, request_line + b"\r\nConnection: close\r\n\r\n")
    assert found == status


def test_a_body_in_pieces_is_bounded_too(doors: Doors) -> None:
    pieces = (b"[" + b"1," * 500_000 for _ in range(6))
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{doors.open}/api/v1/runs", content=pieces, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("this request has at most")


def test_nobody_asks_for_more_completions_than_a_page_could_show(doors: Doors) -> None:
    form = {"models": ["nano"], "datasets": ["none"], "n": [2**31 - 1]}
    answer = httpx.post(f"{doors.open}/api/v1/runs", json=form)
    assert (answer.status_code, "body.n.0" in answer.text) == (422, True)


def test_a_body_that_comes_in_drops_is_not_waited_for(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_BODY_SECONDS", 0.2)

    place = urlsplit(doors.locked)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n"
        connection.sendall(head)
        for _ in range(20):
            connection.sendall(b"a")
            time.sleep(0.05)
        connection.settimeout(0.05)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


def test_who_leaves_in_the_middle_of_a_body_is_no_failure_of_ours(
    doors: Doors, caplog: pytest.LogCaptureFixture
) -> None:
    place = urlsplit(doors.locked)
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\ntoken="
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(head)
    # the server's thread has seen it when it answers the next one
    for _ in range(3):
        httpx.get(f"{doors.locked}/login")
    assert caplog.records == []


def test_every_answer_says_what_a_browser_may_do_with_it(doors: Doors) -> None:
    for path in ("/runs", "/nowhere", "/api/v1/nowhere", "/static/crucible.css"):
        headers = httpx.get(f"{doors.open}{path}").headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        kept = "no-cache" if path.startswith("/static/") else "no-store"
        assert headers["cache-control"] == kept


def test_files_are_asked_for_by_their_etag(doors: Doors) -> None:
    url = f"{doors.open}/static/crucible.css"
    etag = httpx.get(url).headers["etag"]
    assert httpx.get(url, headers={"If-None-Match": etag}).status_code == 304


def test_a_head_is_a_get_without_its_body(doors: Doors) -> None:
    url = f"{doors.open}/api/v1/datasets"
    plain = {"Accept-Encoding": "identity"}
    head, get = httpx.head(url, headers=plain), httpx.get(url, headers=plain)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(get.content))


def test_what_a_path_cannot_be_asked_names_what_it_can(doors: Doors) -> None:
    answer = httpx.delete(f"{doors.open}/api/v1/runs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "HEAD, GET, POST")
    assert answer.json()["type"] == "about:blank"
    assert "text/html" in httpx.delete(f"{doors.open}/runs").headers["content-type"]


def test_a_browser_logs_in_goes_on_and_logs_out(doors: Doors) -> None:
    with httpx.Client(base_url=doors.locked) as browser:
        assert "Token" in browser.get("/login?next=/runs").text
        wrong = browser.post("/login", data={"token": "wrong"})
        assert (wrong.status_code, browser.cookies.get(COOKIE)) == (401, None)
        right = browser.post("/login", data={"token": GOOD, "next": "/runs"})
        assert (right.status_code, right.headers["location"]) == (303, "/runs")
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get("/runs").status_code == 200
        assert GOOD not in browser.get("/login").text
        browser.post("/logout")
        assert browser.get("/runs").status_code == 303


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example", "/\\evil.example", "/login", "x", "/a\r\nb"]
)
def test_a_login_leads_to_no_other_site(doors: Doors, place: str) -> None:
    answer = httpx.post(f"{doors.locked}/login", data={"token": GOOD, "next": place})
    assert answer.headers["location"] == "/"


def test_a_failure_that_nobody_foresaw_tells_its_kind_alone(
    doors: Doors, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    services = open_filled_services(tmp_path)
    # a store that is no store
    object.__setattr__(services.runs, "artifacts", "secret-place")
    with answering(services) as url:
        answer = httpx.get(f"{url}/api/v1/artifacts/{'0' * 64}")
    services.runs.database.close()
    assert answer.status_code == 500
    assert json.loads(answer.content)["detail"].startswith("unexpected AttributeError")
    assert "secret-place" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    capfd.readouterr()
    settings.current.cache_clear()
    del doors
