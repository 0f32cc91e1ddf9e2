"""Progress is a line per 10 % or 30 seconds where there is no terminal."""

from __future__ import annotations

import io
import sys

import pytest

from crucible_api.cli import output
from crucible_api.cli.output import Voice
from crucible_api.cli.progress import Meter, Standing
from crucible_infra.settings import read


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_hundred_steps_make_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    clock = _Clock()
    with Meter(Voice(), clock) as meter:
        for judged in range(101):
            clock.now = judged / 10
            meter.show(Standing(100, 100, judged, left=100 - judged))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == " 10 %  10/100 judged  0:01, time left unknown"
    assert lines[5] == " 60 %  60/100 judged  0:06, about 0:04 left"
    assert lines[-1] == "100 %  100/100 judged  0:10"


def test_a_run_that_does_not_move_speaks_every_thirty_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = _Clock()
    with Meter(Voice(), clock) as meter:
        for second in range(91):
            clock.now = float(second)
            meter.show(Standing(planned=100, generated=3, judged=0, left=100))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"  0 %  0/100 judged  3 sampled  {elapsed}, time left unknown"
        for elapsed in ("0:30", "1:00", "1:30")
    ]


def test_quiet_is_quiet_and_stdout_stays_clean(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter(Voice(is_quiet=True)) as meter:
        meter.show(Standing(planned=1, generated=1, judged=1, left=0))
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == ""


def test_lines_of_a_sweep_name_it_and_count_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter(Voice(), _Clock(), label="sweep 20260131-120000-abcd") as meter:
        meter.show(Standing(planned=4, generated=4, judged=4, left=0), done="2/2 runs")
    line = "sweep 20260131-120000-abcd  2/2 runs  100 %  4/4 judged  0:00\n"
    assert capsys.readouterr().err == line


def test_a_run_without_completions_is_complete() -> None:
    assert Standing(planned=0, generated=0, judged=0, left=0).share == 1.0


def test_a_bar_overwrites_itself_lets_a_log_line_above_and_is_wiped_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class _Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = _Terminal()
    plain = read({"TERM": "xterm", "NO_COLOR": "1"})
    monkeypatch.setattr(output, "of_environment", lambda: plain)
    monkeypatch.setattr(sys, "stderr", terminal)
    clock = _Clock()
    with Meter(Voice(), clock) as meter:
        meter.show(Standing(planned=4, generated=4, judged=1, left=3))
        print("a warning", file=sys.stderr)
        clock.now = 1.0
        meter.show(Standing(planned=4, generated=4, judged=4, left=0))
    assert sys.stderr is terminal
    lines = _screen(terminal.getvalue())
    assert lines == ["a warning", ""]
    assert "██████░░" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def _screen(written: str) -> list[str]:
    """What a terminal shows that knows carriage return and line feed."""
    lines = []
    for text in written.split("\n"):
        shown: list[str] = []
        for part in text.split("\r"):
            shown[: len(part)] = part
        lines.append("".join(shown).rstrip())
    return lines
