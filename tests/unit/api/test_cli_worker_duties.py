"""Which processes `crucible worker` starts for a kind of work."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_api.cli import worker


@pytest.mark.parametrize(("gpus", "found"), [((), [None]), (("0", "GPU-b"), ["0", "GPU-b"])])
def test_trainings_get_a_process_for_each_gpu(
    crucible_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: tuple[str, ...],
    found: list[str | None],
) -> None:
    assert crucible_home
    monkeypatch.setattr(worker, "visible_gpus", lambda: gpus)
    duties = worker._duties("fine_tune", 8, is_demanded=True)

    assert [duty.gpu for duty in duties] == found
    # what shares a GPU is slow on it
    assert {duty.threads for duty in duties} == {1}
    assert [duty.gpu for duty in worker._duties("generation", 8, is_demanded=True)] == [None]
    # a host without one trains only when it is told to
    assert ("fine_tune" in worker._possible()) == bool(gpus)
