"""The API does what its published document says, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import api_questions
from api_questions import Known
from crucible_tasks.challenges import encode
from filled_questions import shop
from served import Served, served

#: for each operation
QUESTIONS = 12

#: operations that must have found what they were asked for
ANSWERED = {
    "GET /api/v1/comparisons",
    "GET /api/v1/models/described",
    "GET /api/v1/runs/{name}",
    "GET /api/v1/runs/{run_id}/completions",
    "GET /api/v1/sweeps/{name}",
    "GET /api/v1/fine-tunes/{name}",
    "GET /api/v1/artifacts/{digest}",
}


@pytest.fixture(scope="module")
def working_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), works=True) as running:
        yield running


def known(server: Served) -> Known:
    filled = server.filled
    artifact = server.services.runs.artifacts.put(encode(shop()))
    return Known(
        names={
            # what others set off again has no end of events
            "/runs/{run_id}/events": (filled.toy,),
            "/runs": tuple(one for one in filled.runs if one != filled.toy),
            "/sweeps": (filled.sweep, filled.router_sweep),
            "/selections": (filled.sweep, filled.large),
            "/fine-tunes/{fine_tune_id}/events": (filled.fine_tune,),
            "/fine-tunes": (filled.fine_tune, filled.fine_tune_running, filled.fine_tune_failed),
            "/artifacts": (artifact,),
        },
        queries={
            "/comparisons": {"a": filled.large, "b": filled.small},
            "/models/described": {"spec": "nano"},
        },
    )


def test_no_operation_fails_or_answers_what_its_document_does_not_say(
    working_server: Served,
) -> None:
    asked = list(api_questions.ask(working_server.url, QUESTIONS, known(working_server)))

    assert [problem for one in asked for problem in one.problems] == []
    assert {one.operation for one in asked if 200 in one.statuses} >= ANSWERED
