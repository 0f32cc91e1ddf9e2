"""The API does what its published document says, whatever it is asked.

`tests/performance/api_document.py` asks more.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import api_questions
from served import Served, served

#: for each operation; with fewer, some have no question that finds anything
QUESTIONS = 5

#: operations that must have found what they were asked for
ANSWERED = {
    "GET /api/v1/comparisons",
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


@pytest.mark.timeout(300)
def test_no_operation_fails_or_answers_what_its_document_does_not_say(
    working_server: Served,
) -> None:
    asked = list(api_questions.ask(working_server, QUESTIONS))

    assert [problem for one in asked for problem in one.problems] == []
    assert {one.operation for one in asked if 200 in one.statuses} >= ANSWERED
