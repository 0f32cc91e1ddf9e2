"""What travels between server and client arrives as it was sent."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from crucible_api.http import wire
from crucible_api.http.forms import BenchmarkForm, PromptText
from crucible_api.http.wire import Page, Problem
from crucible_infra import errors
from crucible_infra.database.completions import CompletionRow
from crucible_tasks.comparison import Finding, compare
from crucible_tasks.scores import Score

ROW = CompletionRow("r", "T/0", 0, "response", "", None, "stop", None, None, 0.5)


@pytest.mark.parametrize("text", ["\ud800 alone", "\0", "\u2028\u202e", "</script>", "ü" * 100_000])
def test_a_text_arrives_unchanged_in_ascii(text: str) -> None:
    page = Page((replace(ROW, text=text),), "next")
    data = wire.encode(page)
    assert data.isascii()
    assert wire.decode(data, Page[CompletionRow]) == page


def test_what_is_not_known_is_null_and_nan_again() -> None:
    score = Score(10, math.nan, math.nan, math.nan, 3, "no challenge has been judged")
    assert json.loads(wire.encode(score))["value"] is None
    (found,) = wire.decode(wire.encode(Page((score,), None)), Page[Score]).items
    assert all(math.isnan(one) for one in (found.value, found.low, found.high))
    assert found.reason == score.reason


def test_null_stays_null_where_it_is_a_value_of_its_own() -> None:
    found = wire.decode(wire.encode(replace(ROW, seconds=None)), CompletionRow)
    assert found.seconds is None


def test_a_comparison_that_cannot_tell_survives() -> None:
    comparison = compare([], [])
    found = wire.decode(wire.encode(comparison), type(comparison))
    assert found.verdict is Finding.CANNOT_TELL
    assert found.sentence == comparison.sentence


def test_a_form_is_read_back_and_what_a_newer_client_says_is_left_out() -> None:
    form = BenchmarkForm(models=("nano",), prompts=(PromptText("p", "{request}"),))
    plain = json.loads(wire.encode(form)) | {"newer": 1}
    assert wire.decode(json.dumps(plain).encode(), BenchmarkForm) == form


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"k": "x"}', b"[" * 100_000, b"\xff"])
def test_anything_else_is_no_value(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.decode(data, Score)


@pytest.mark.parametrize(
    "kind",
    [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.CrucibleError)
    ],
)
def test_every_error_is_the_same_one_for_the_client(kind: type[errors.CrucibleError]) -> None:
    problem = wire.problem_of(kind("what", hint="do"), 500)
    found = wire.error_of(wire.decode(wire.encode(problem), Problem))
    assert type(found) is kind
    assert (found.message, found.hint, found.exit_code) == ("what", "do", kind.exit_code)


def test_an_error_of_a_newer_server_is_an_error() -> None:
    found = wire.error_of(Problem("urn:codecrucible:newer", "Newer", 500, "what"))
    assert type(found) is errors.CrucibleError
