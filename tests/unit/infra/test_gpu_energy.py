"""The meter: joules of the boards that a process may use, and nothing where one does not tell."""

from __future__ import annotations

import pytest

from crucible_infra.gpu_energy import meter_of
from scripted_gpus import Board, ScriptedGpus

FIRST, SECOND = Board("GPU-aa", millijoules=1500), Board("GPU-bb", millijoules=20_000)


@pytest.mark.parametrize(
    ("chosen", "joules"),
    [(("0", "1"), 21.5), (("1",), 20.0), (("GPU-a",), 1.5), (("GPU-bb", "GPU-aa"), 21.5)],
)
def test_only_the_boards_a_process_may_use_are_added_up(
    chosen: tuple[str, ...], joules: float
) -> None:
    gpus = ScriptedGpus(FIRST, SECOND)
    meter = meter_of(gpus, chosen)
    assert meter is not None
    assert meter() == joules
    for place in (0, 1):
        gpus.spend(place, 1000)
    assert meter() == joules + len(chosen)


@pytest.mark.parametrize(
    "other",
    [
        Board("GPU-b"),
        Board("GPU-b", millijoules=1, is_sliced=True),
    ],
    ids=["no counter", "sliced"],
)
def test_a_board_that_does_not_tell_its_own_leaves_no_meter(other: Board) -> None:
    assert meter_of(ScriptedGpus(FIRST, other), ("0", "1")) is None
    assert meter_of(ScriptedGpus(FIRST, other), ("0",)) is not None


@pytest.mark.parametrize("word", ["7", "MIG-aa", "GPU-c", "x"])
def test_what_names_no_board_leaves_no_meter(word: str) -> None:
    assert meter_of(ScriptedGpus(FIRST, SECOND), (word,)) is None


def test_a_board_that_is_not_sliced_now_tells() -> None:
    assert meter_of(ScriptedGpus(Board("GPU-a", millijoules=1, is_sliced=False)), ("0",))


def test_a_board_that_is_lost_later_tells_nothing() -> None:
    gpus = ScriptedGpus(FIRST)
    meter = meter_of(gpus, ("0",))
    assert meter is not None
    gpus.tell(0, None)
    assert meter() is None
