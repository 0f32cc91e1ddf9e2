"""What is to be read over HTTP is what the database holds, page by page and as a whole."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crucible_api import __version__
from crucible_api.http import wire
from crucible_api.http.forms import Compared, Version
from crucible_api.http.wire import Problem
from crucible_api.reports import Progress, RunSummary
from crucible_api.sweep_reports import Selected, SweepSummary
from crucible_tasks.planning import RunState
from served import Served


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as client:
        yield client


def _pages(api: httpx.Client, path: str, limit: int, **words: str) -> list[dict[str, Any]]:
    items, after = [], {}
    while True:
        answer = api.get(path, params={"limit": limit, **after, **words})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        assert page["items"]
        after = {"after": page["next"]}


def test_verdicts_by_page_are_all_of_them_in_order(api: httpx.Client, server: Served) -> None:
    for run_id in (server.filled.large, server.filled.gappy, server.filled.planned):
        whole = json.loads(wire.encode(server.services.runs.verdict_rows(run_id)))
        assert _pages(api, f"/runs/{run_id}/verdicts", 37) == whole


def test_completions_by_page_are_all_of_them(api: httpx.Client, server: Served) -> None:
    run_id = server.filled.large
    rows = server.services.runs.verdict_rows(run_id)
    found = _pages(api, f"/runs/{run_id}/completions", 50)
    assert [(one["task_id"], one["index"]) for one in found] == [
        (row.task_id, row.index) for row in rows
    ]
    task_id = rows[-1].task_id
    some = _pages(api, f"/runs/{run_id}/completions", 3, task_id=task_id)
    assert some == [one for one in found if one["task_id"] == task_id]


@pytest.mark.parametrize("path", ["/runs", "/sweeps", "/fine-tunes"])
def test_a_list_by_page_is_the_whole_list(api: httpx.Client, path: str) -> None:
    assert _pages(api, path, 2) == _pages(api, path, 500)


def test_a_run_is_told_as_the_service_tells_it(api: httpx.Client, server: Served) -> None:
    for run_id in server.filled.runs:
        answer = api.get(f"/runs/{run_id}")
        assert wire.encode(wire.decode(answer.content, RunSummary)) == answer.content
    progress = wire.decode(api.get(f"/runs/{server.filled.running}/progress").content, Progress)
    assert progress.state is RunState.RUNNING
    latest = api.get("/runs/latest").json()["run"]["id"]
    assert latest == api.get("/runs", params={"limit": 1}).json()["items"][0]["id"]


def test_sweeps_selections_and_comparisons_are_told(api: httpx.Client, server: Served) -> None:
    filled = server.filled
    sweep = wire.decode(api.get(f"/sweeps/{filled.sweep}").content, SweepSummary)
    selected = wire.decode(api.get(f"/selections/{filled.sweep}").content, Selected)
    assert {one.run.id for one in sweep.runs} == {run.id for run in selected.runs}
    assert selected.sweep_id == filled.sweep
    words = {"a": filled.large, "b": filled.small, "k": 10}
    compared = wire.decode(api.get("/comparisons", params=words).content, Compared)
    assert (compared.a, compared.b, compared.comparison.k) == (filled.large, filled.small, 10)
    assert compared.sentence == compared.comparison.sentence


def test_an_export_is_an_archive_of_the_files_of_the_command(
    api: httpx.Client, server: Served
) -> None:
    run_id = server.filled.single
    answer = api.get(f"/runs/{run_id}/export")
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        names = archive.getnames()
        rows = archive.extractfile(f"{run_id}/verdicts.jsonl")
        assert rows is not None
        assert len(rows.read().splitlines()) == 50
    assert f"{run_id}/manifest.json" in names
    assert answer.headers["content-disposition"] == f'attachment; filename="{run_id}.tar"'


def test_a_fine_tune_its_steps_and_its_proof_are_told(api: httpx.Client, server: Served) -> None:
    fine_tune_id = server.filled.fine_tune
    info = api.get(f"/fine-tunes/{fine_tune_id}").json()
    assert api.get(f"/fine-tunes/{info['row']['name']}").json() == info
    page = api.get(f"/fine-tunes/{fine_tune_id}/steps", params={"limit": 10}).json()
    rest = api.get(f"/fine-tunes/{fine_tune_id}/steps", params={"after": page["next"]}).json()
    steps = [one["step"] for one in (*page["items"], *rest["items"])]
    assert steps == sorted(set(steps))
    assert len(page["items"]) == 10
    assert rest["next"] is None
    assert api.get(f"/fine-tunes/{fine_tune_id}/proof").json()


def test_the_server_tells_who_it_is(api: httpx.Client) -> None:
    version = wire.decode(api.get("/version").content, Version)
    assert version == Version(__version__, is_embedded=True)
    (worker,) = api.get("/workers").json()
    assert worker["name"] == "embedded"
    assert {"humaneval", "starter"} <= {one["name"] for one in api.get("/datasets").json()}


def test_what_is_large_is_packed_and_events_never_are(api: httpx.Client, server: Served) -> None:
    asks = {"Accept-Encoding": "gzip"}
    large = api.get(f"/runs/{server.filled.large}/verdicts", headers=asks)
    assert large.headers["content-encoding"] == "gzip"
    for path in ("/version", f"/runs/{server.filled.large}/events"):
        assert "content-encoding" not in api.get(path, headers=asks).headers


def test_an_artifact_is_put_looked_for_and_got_in_pieces(api: httpx.Client) -> None:
    content = b"\0weights" * 700_000
    digest = hashlib.sha256(content).hexdigest()
    path = f"/artifacts/{digest}"
    assert api.head(path).status_code == 404
    pieces = (content[start : start + 100_000] for start in range(0, len(content), 100_000))
    assert api.put(path, content=pieces).json() == {"digest": digest, "bytes": len(content)}
    assert api.head(path).headers["content-length"] == str(len(content))
    assert api.get(path).content == content
    other = api.put(f"/artifacts/{'0' * 64}", content=content)
    assert (other.status_code, "sha256" in other.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/runs/nobody", 404, "run-not-found"),
        ("/runs/2026", 404, "run-not-found"),
        ("/runs/nobody/verdicts", 404, "run-not-found"),
        ("/runs/nobody/completions", 404, "run-not-found"),
        ("/runs/nobody/export", 404, "run-not-found"),
        ("/sweeps/nobody", 404, "run-not-found"),
        ("/fine-tunes/nobody", 404, "fine-tune-not-found"),
        ("/fine-tunes/nobody/steps", 404, "fine-tune-not-found"),
        (f"/artifacts/{'0' * 64}", 404, "artifact-missing"),
        ("/runs?limit=0", 422, "invalid-input"),
        ("/runs?limit=501", 422, "invalid-input"),
        ("/runs?limit=x", 422, "invalid-input"),
        ("/runs?after=x", 422, "invalid-input"),
        ("/runs?after=WzAsIDAsIDBd", 422, "invalid-input"),
        ("/sweeps?after=W251bGwsICJ4Il0", 422, "invalid-input"),
        ("/runs/a%00b", 422, "invalid-input"),
        ("/comparisons?a=x", 422, "invalid-input"),
        ("/artifacts/xyz", 422, "invalid-input"),
    ],
)
def test_what_cannot_be_told_is_a_problem(
    api: httpx.Client, path: str, status: int, name: str
) -> None:
    answer = api.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = wire.decode(answer.content, Problem)
    assert (answer.status_code, problem.status) == (status, status)
    assert problem.type == f"urn:codecrucible:{name}"


def test_the_document_names_every_problem_and_no_schema_of_the_framework(
    api: httpx.Client,
) -> None:
    document = api.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert not [name for name in schemas if "Validation" in name]
    score = schemas["Score"]["properties"]["value"]
    assert score["anyOf"] == [{"type": "number"}, {"type": "null"}]
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    for one in operations:
        assert one["summary"]
        for status, response in one["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]
