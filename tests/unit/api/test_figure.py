"""What every figure does with foreign texts and with numbers."""

from __future__ import annotations

import json
import math

import pytest

from crucible_api.page.plots.figure import Figure, Table, layout, number, plain
from crucible_api.page.plots.training import thinned, training_figures
from crucible_infra.fine_tune_rows import StepRow


def _step(step: int, held_out: float | None = None) -> StepRow:
    return StepRow("f", step, 100, step / 7, held_out, 1e-4, step, None, None, None, 1.0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>x</b> & y", "&lt;b&gt;x&lt;/b&gt; &amp; y"),
        ("a\x00b\u202ec\nd\ud800", "a\ufffdb\ufffdc\ufffdd\ufffd"),
        ("x" * 50, "x" * 39 + "\u2026"),
    ],
)
def test_a_foreign_text_becomes_one_harmless_line(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_number_is_never_one_that_json_lacks() -> None:
    assert [number(one) for one in (None, math.nan, math.inf, 1 / 3)] == [None] * 3 + [0.333333]


def test_the_json_of_a_figure_ends_no_script() -> None:
    axes = layout({"title": "</script><!--"}, {"title": "y"})
    written = Figure("f", "f", [], axes, Table((), ())).json
    assert "<" not in written
    assert json.loads(written)["layout"]["xaxis"]["title"]["text"] == "</script><!--"


def test_a_long_training_keeps_its_ends_and_every_held_out_loss() -> None:
    steps = [_step(step, 1.0 if step % 97 == 0 else None) for step in range(5000)]
    found = [one.step for one in thinned(steps, 100)]
    assert found == sorted(set(found))
    assert {0, 4999, *range(0, 5000, 97)} <= set(found)
    assert len(found) < 160


def test_what_a_training_did_not_tell_has_no_figure() -> None:
    assert [one.name for one in training_figures([_step(0, 2.0), _step(1)])] == ["loss"]
    assert training_figures([]) == ()
