"""The real `crucible serve`: what is asked for over HTTP is done, followed, and left in order."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from commandline import PATIENCE_SECONDS, Crucible

#: like those of a samples file
ROWS = [
    {"task_id": "starter/turn_around", "completion": "    return word[::-1]\n"},
    {"task_id": "starter/turn_around", "completion": "    return word\n"},
]


@dataclass(frozen=True, slots=True)
class Answering:
    """A server, and a client of it."""

    process: subprocess.Popen[bytes]
    api: httpx.Client


@contextmanager
def _serving(crucible: Crucible) -> Iterator[Answering]:
    child = crucible.start("serve", "--port", "0", "--json")
    try:
        assert child.stdout is not None
        # one object, over several lines
        said = b"".join(iter(child.stdout.readline, b"}\n")) + b"}"
        url = json.loads(said)["url"]
        with httpx.Client(base_url=f"{url}/api/v1", timeout=PATIENCE_SECONDS) as api:
            yield Answering(child, api)
    finally:
        child.kill()
        child.communicate()


def _begin(api: httpx.Client, path: str, **form: Any) -> list[str]:
    answer = api.post(path, json=form)
    assert answer.status_code == 201, answer.text
    return list(answer.json()["runs"])


def _followed(api: httpx.Client, run_id: str) -> list[tuple[str, Any]]:
    """The events of a run, to their end."""
    with api.stream("GET", f"/runs/{run_id}/events") as answer:
        lines = [line for line in answer.iter_lines() if line.startswith(("event", "data"))]
    words = [line.partition(": ")[2] for line in lines]
    return [(kind, json.loads(data)) for kind, data in zip(words[::2], words[1::2], strict=True)]


def test_what_is_started_over_http_is_done_followed_and_kept(crucible: Crucible) -> None:
    with _serving(crucible) as server:
        api = server.api
        nano, reference = _begin(
            api, "/runs", models=["nano", "reference"], datasets=["starter"], limit=3
        )
        events = _followed(api, nano)
        assert events[-1][0] == "end"
        assert events[-1][1]["state"] == "finished"
        assert events[-1][1]["judged"] == 3
        _followed(api, reference)
        score = api.get(f"/runs/{reference}").json()["scores"][0]
        assert (score["k"], score["value"]) == (1, 1.0)
        (evaluation,) = _begin(api, "/evaluations", dataset="starter", rows=ROWS, k=[1])
        assert _followed(api, evaluation)[-1][1]["passed"] == 1
        assert not api.post(f"/runs/{nano}/stop").json()["is_altered"]
        assert api.post(f"/runs/{nano}/regrade").json()["state"] == "running"
        assert _followed(api, nano)[-1][1]["state"] == "finished"
        _refused(api)
        _stopped_before_its_turn(api)
        with api.stream("GET", f"/runs/{_long_run(api)}/events") as left:
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_SECONDS) == 143
            left.read()
        assert server.process.stderr is not None
        told = server.process.stderr.read().decode().splitlines()
        assert told[0].startswith("the page is at http://127.0.0.1:")
        assert told[1:] == ["stopped"]
    listed = json.loads(crucible("runs", "list", "--json").out)
    assert listed[0]["state"] == "interrupted"


def _long_run(api: httpx.Client) -> str:
    return _begin(api, "/runs", models=["nano"], datasets=["starter"], n=[200], k=[1])[0]


def _stopped_before_its_turn(api: httpx.Client) -> None:
    """A run behind another is planned, may go first, and is stopped like any other."""
    long = _long_run(api)
    (waiting,) = _begin(api, "/runs", models=["reference"], datasets=["starter"], limit=1)
    assert api.get(f"/runs/{waiting}/progress").json()["state"] == "planned"
    assert api.put(f"/runs/{waiting}/priority", json={"priority": 9}).json()["is_altered"]
    assert api.post(f"/runs/{waiting}/stop").json()["state"] == "stopped"
    assert api.post(f"/runs/{long}/pause").json()["state"] == "paused"
    resumed = api.post(f"/runs/{waiting}/resume").json()
    assert resumed == {"id": waiting, "state": "running", "is_altered": True}
    assert _followed(api, waiting)[-1][1]["state"] == "finished"


def _refused(api: httpx.Client) -> None:
    """Nothing is planned of what cannot be done, and the problem says why."""
    before = api.get("/runs").json()
    digest = "0" * 64
    for path, form, status in (
        ("/runs", {"models": ["replay:/etc/passwd"]}, 422),
        ("/runs", {"models": ["nano"], "datasets": ["/etc/passwd"]}, 422),
        ("/runs", {"models": ["nano"], "datasets": [f"artifact:{digest}"]}, 404),
        ("/runs", {"models": ["nobody-has-this"], "datasets": ["starter"]}, 502),
        ("/runs", {"models": ["nano"], "n": [1], "k": [5]}, 422),
        ("/runs", {"n": [0]}, 422),
        ("/runs", [], 422),
        ("/evaluations", {}, 422),
        ("/evaluations", {"artifact": digest}, 404),
        ("/fine-tunes", {"name": "nano", "model": "nano", "corpus": digest}, 422),
        ("/fine-tunes", {"name": "mine", "model": "nano", "corpus": digest}, 404),
        ("/fine-tunes", {"name": "m", "model": "nano", "corpus": digest, "recipe": {"x": 1}}, 422),
    ):
        answer = api.post(path, json=form)
        assert (answer.status_code, path) == (status, path), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/runs").json() == before
