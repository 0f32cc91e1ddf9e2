"""Followers share one look, hear every change and the end, and cost nothing when they are gone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import scripted_run
from crucible_api.fine_tunes import FineTunes
from crucible_api.http.following import Following, Seen
from crucible_api.http.server import listen, make_server
from crucible_api.http.services import Services
from crucible_infra import settings
from crucible_infra.database import open_database
from crucible_infra.database.runs import update_run
from crucible_infra.errors import DatabaseUnavailable
from scripted_run import Workshop
from served import RULES

SECONDS = 20


class Script:
    """A thing that changes with each look, and is over after some."""

    def __init__(self, looks: int, failing: int = -1) -> None:
        self.looks = 0
        self._last = looks
        self._failing = failing

    def __call__(self) -> Seen:
        self.looks += 1
        if self.looks == self._failing:
            raise DatabaseUnavailable
        return Seen(b'{"look":%d}' % self.looks, is_over=self.looks >= self._last)


async def _all(events: AsyncIterator[bytes]) -> list[bytes]:
    return [event async for event in events]


def test_fifty_followers_share_every_look() -> None:
    script, following = Script(4), Following(look_every=0.01)

    async def story() -> list[list[bytes]]:
        first = await following.look(script)
        followers = (following.events("it", script, first, "") for _ in range(50))
        return await asyncio.gather(*(_all(one) for one in followers))

    told = asyncio.run(story())
    assert script.looks == 4
    assert all(one == told[0] for one in told)
    assert [event.split(b"\n")[0] for event in told[0]] == [
        b"retry: 3000",
        *[b"event: progress"] * 4,
        b"event: end",
    ]


def test_a_stream_ends_after_a_while_so_that_a_token_is_shown_again() -> None:
    script, following = Script(1_000_000), Following(heartbeat=0.001, longest=0.05)

    async def story() -> list[bytes]:
        return await _all(following.events("it", script, await following.look(script), ""))

    told = asyncio.run(story())
    assert told[1].startswith(b"event: progress")
    assert not any(event.startswith(b"event: end") for event in told)


def test_a_look_that_fails_is_not_the_end() -> None:
    script, following = Script(3, failing=2), Following(look_every=0.01, rest=0.01)

    async def story() -> list[bytes]:
        first = await following.look(script)
        return await _all(following.events("it", script, first, ""))

    assert len(asyncio.run(story())) == 4


def test_what_has_not_changed_is_told_by_a_sign_of_life_alone() -> None:
    following = Following(look_every=0.01, heartbeat=0.01)
    seen = Seen(b"{}", is_over=False)

    async def story() -> list[bytes]:
        events = following.events("it", lambda: seen, seen, seen.id)
        told = [await anext(events) for _ in range(3)]
        await events.aclose()
        return told

    assert asyncio.run(story())[1:] == [b": still here\n\n"] * 2


def test_nobody_looks_any_more_when_the_last_follower_has_left() -> None:
    script, following = Script(1000), Following(look_every=0.01)

    async def story() -> tuple[int, int]:
        first = await following.look(script)
        events = [following.events("it", script, first, "") for _ in range(2)]
        for one in events:
            await anext(one)
            await anext(one)
        for one in events:
            await one.aclose()
        looks = script.looks
        await asyncio.sleep(0.1)
        return looks, script.looks

    before, after = asyncio.run(story())
    assert after <= before + 1


def test_there_is_an_end_to_how_many_can_follow() -> None:
    following, seen = Following(most=1), Seen(b"{}", is_over=False)

    async def story() -> list[bool]:
        events = following.events("it", lambda: seen, seen, "")
        found = [following.is_full]
        await anext(events)
        found.append(following.is_full)
        await events.aclose()
        return [*found, following.is_full]

    assert asyncio.run(story()) == [False, True, False]


@contextmanager
def _server(workshop: Workshop, directory: Path, following: Following) -> Iterator[str]:
    """The server as `crucible serve` runs it, in a thread."""
    found = settings.read({"CRUCIBLE_HOME": str(directory)})
    fine_tunes = FineTunes(workshop.database)
    services = Services(found, workshop.runs, fine_tunes, following=following)
    server = make_server(services, RULES)
    with listen("127.0.0.1", 0) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.socket]})
        thread.start()
        try:
            yield bound.url
        finally:
            server.should_exit = True
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _kinds(lines: Iterator[str]) -> Iterator[str]:
    return (line.partition(": ")[2] for line in lines if line.startswith("event: "))


def test_a_run_is_followed_over_http_to_its_end(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    with _server(workshop, tmp_path, Following(look_every=0.01)) as url:
        place = f"{url}/api/v1/runs/{run_id}/events"
        with httpx.stream("GET", place, timeout=SECONDS) as answer:
            lines = answer.iter_lines()
            kinds = _kinds(lines)
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert next(kinds) == "progress"
            with workshop.database.writing() as connection:
                update_run(connection, run_id, state="paused")
            assert next(kinds) == "progress"
            with workshop.database.writing() as connection:
                update_run(connection, run_id, state="stopped")
            assert [next(kinds), next(kinds)] == ["progress", "end"]
            end = next(lines).partition(": ")[2]
            assert list(kinds) == []
        again = httpx.get(place, headers={"Last-Event-ID": end})
        assert again.status_code == 204
        unknown = httpx.get(f"{url}/api/v1/runs/nobody/events")
        assert unknown.status_code == 404


def test_followers_do_not_hold_the_servers_end(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    following = Following()
    with _server(workshop, tmp_path, following) as url:
        client = httpx.Client(timeout=SECONDS)
        answer = client.send(
            client.build_request("GET", f"{url}/api/v1/runs/{run_id}/events"), stream=True
        )
        lines = answer.iter_lines()
        assert next(_kinds(lines)) == "progress"
    # the server has let it go, rather than cut it off
    assert not list(_kinds(lines))
    client.close()


def test_one_too_many_is_told_so(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    with _server(workshop, tmp_path, Following(most=0)) as url:
        answer = httpx.get(f"{url}/api/v1/runs/{run_id}/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_sweep_is_altered_as_a_whole_and_followed_to_the_end_of_its_last_run(
    workshop: Workshop, tmp_path: Path
) -> None:
    plans = (replace(scripted_run.plan(), sweep_id="20260131-120000-abcd") for _ in range(2))
    first, second = (workshop.runs.plan_benchmark(plan) for plan in plans)
    with _server(workshop, tmp_path, Following(look_every=0.01)) as url:
        sweep = f"{url}/api/v1/sweeps/20260131-120000-abcd"
        with httpx.stream("GET", f"{sweep}/events", timeout=SECONDS) as answer:
            told = _told(answer.iter_lines())
            assert next(told) == {first: "planned", second: "planned"}
            _settle(workshop, first, "finished")
            assert next(told) == {first: "finished", second: "planned"}
            altered = httpx.post(f"{sweep}/stop").json()["runs"]
            assert altered == [
                {"id": first, "state": "finished", "is_altered": False},
                {"id": second, "state": "stopped", "is_altered": True},
            ]
            assert next(told) == {first: "finished", second: "stopped"}
            # the same for the last time
            assert next(told) == {first: "finished", second: "stopped"}
            assert list(told) == []
        page = httpx.get(f"{url}/sweeps/abcd").text
        assert "Resume what lies still" in page
        assert "Stop all" not in page
        assert httpx.post(f"{url}/api/v1/sweeps/nobody/stop").status_code == 404


def _settle(workshop: Workshop, run_id: str, state: str) -> None:
    with workshop.database.writing() as connection:
        update_run(connection, run_id, state=state)


def _told(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The states of the runs, event by event."""
    for line in lines:
        if line.startswith("data: "):
            runs = json.loads(line.removeprefix("data: "))["runs"]
            yield {one["id"]: one["progress"]["state"] for one in runs}
