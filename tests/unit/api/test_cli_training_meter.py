"""What a training's progress says, and when, where nothing can overwrite itself."""

from __future__ import annotations

import pytest

from crucible_api.cli.output import Voice
from crucible_api.cli.progress import LINE_EVERY_SECONDS
from crucible_api.cli.training_meter import TrainingMeter
from crucible_infra.fine_tune_rows import StepRow


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _step(number: int, held_out: float | None = None) -> StepRow:
    return StepRow("id", number, 100, 2.5, held_out, 1e-3, 10, 1234.5, 0.51, 1, number * 2.0)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_line_tells_loss_speed_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingMeter(Voice(), Clock()) as meter:
        meter.hear([_step(10, 3.25), _step(15)])

    told = "step 15/100  loss 2.5000  held out 3.2500  1,234 tokens/s  MFU 51 %  about 2:50 left"
    assert _lines(capsys) == [told]


def test_a_log_gets_a_line_per_tenth_or_half_a_minute_and_the_last_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with TrainingMeter(Voice(), clock) as meter:
        for number in range(1, 31):
            meter.hear([_step(number)])
        # nothing new is told twice
        clock.now += LINE_EVERY_SECONDS
        meter.hear([])
        meter.hear([_step(31)])
        meter.hear([_step(100)])

    assert [line.split()[1] for line in _lines(capsys)] == [
        *("10/100", "20/100", "30/100", "31/100", "100/100")
    ]


def test_a_resumed_training_tells_no_time_from_two_clocks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TrainingMeter(Voice(), Clock()) as meter:
        first = _step(10)
        again = StepRow("id", 20, 100, 2.5, None, 1e-3, 10, None, None, 1, 0.5)
        meter.hear([first, again])

    assert "left" not in _lines(capsys)[0]
