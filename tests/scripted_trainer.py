"""A training process without a model: `scripted_trainer.py SECONDS MANNER JOB.json`.

It keeps what the real one promises (progress.jsonl, whole checkpoints, the adapter renamed into its
place, exit codes) and takes SECONDS for a step. Its losses follow from a state that only its
checkpoints carry, so a training that went on from another place than it left would show it.

In a gang the first member does so, and the others keep step with it.

MANNER is `well`, `refuse` (says why and ends with 2), `alone` (as where another of its gang is
gone), `crash` (dies of a signal in step 3) or `fall` (dies of a signal the first time it comes to
step 7).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from crucible_tasks.fine_tuning import (
    ADAPTER,
    CHECKPOINT,
    CHECKPOINTS,
    EXIT_GANG_BROKEN,
    EXIT_STOPPED,
    PROGRESS,
    RECORD,
    WHOLE,
    AdapterRecord,
    TrainingJob,
    TrainingStep,
    read_job,
)
from scripted_gang import END, STOP, Gang, MemberGone, meet

_asked: list[int] = []


def losses(steps: int) -> list[float]:
    """What a training of so many steps tells, whoever interrupted it."""
    state, found = 1, []
    for step in range(1, steps + 1):
        state = _next(state, step)
        found.append(state / 100)
    return found


def _next(state: int, step: int) -> int:
    return (state * 37 + step) % 1009


def main(seconds: str, manner: str, path: str) -> int:
    signal.signal(signal.SIGTERM, lambda number, _: _asked.append(number))
    if manner == "refuse":
        sys.stderr.write("note: it looks\nerror: tiny is not a model (name another)\n")
        return 2
    try:
        gang = meet(leaves=manner == "alone")
        lead = _lead if gang.rank == 0 else _follow
        return lead(gang, read_job(Path(path)), float(seconds), manner)
    except MemberGone:
        sys.stderr.write("error: another member of the gang is gone\n")
        return EXIT_GANG_BROKEN


def _follow(gang: Gang, job: TrainingJob, seconds: float, manner: str) -> int:
    del job, manner
    while (word := gang.follow(is_asked=bool(_asked))) not in (STOP, END):
        time.sleep(seconds)
    return EXIT_STOPPED if word == STOP else 0


def _lead(gang: Gang, job: TrainingJob, seconds: float, manner: str) -> int:
    output, steps = Path(job.output), job.recipe.max_steps or 10
    step, state = _last(output / CHECKPOINTS)
    sys.stderr.write(f"note: goes on from step {step}\n")
    if step == 0:
        _tell(output, TrainingStep(0, steps, None, 5.0, None, 0, None, None, 1, 0.0))
    while step < steps:
        is_over = gang.agree(is_asked=bool(_asked))
        time.sleep(seconds)
        step += 1
        state = _next(state, step)
        _die(output, manner, step)
        held_out = 5.0 / step if step % 5 == 0 else None
        told = TrainingStep(step, steps, state / 100, held_out, 1e-3, step * 10, 10.0, None, 1, 0.1)
        _tell(output, told)
        if step % 5 == 0 or is_over:
            _save(output / CHECKPOINTS, step, state)
        if is_over:
            return EXIT_STOPPED
    _finish(output, job, steps)
    gang.end()
    return 0


def _die(output: Path, manner: str, step: int) -> None:
    mark = output / "fallen"
    if manner == "crash" and step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if manner == "fall" and step == 7 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _tell(output: Path, step: TrainingStep) -> None:
    with (output / PROGRESS).open("ab") as file:
        file.write(msgspec.json.encode(step) + b"\n")


def _save(directory: Path, step: int, state: int) -> None:
    checkpoint = directory / f"{CHECKPOINT}{step}"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "state").write_text(str(state))
    (checkpoint / WHOLE).touch()
    for old in directory.glob(f"{CHECKPOINT}*"):
        if old != checkpoint:
            (old / WHOLE).unlink()
            (old / "state").unlink()
            old.rmdir()


def _last(directory: Path) -> tuple[int, int]:
    whole = [path.parent for path in directory.glob(f"{CHECKPOINT}*/{WHOLE}")]
    steps = {int(path.name.removeprefix(CHECKPOINT)): path for path in whole}
    if not steps:
        return 0, 1
    last = max(steps)
    return last, int((steps[last] / "state").read_text())


def _finish(output: Path, job: TrainingJob, steps: int) -> None:
    record = AdapterRecord(
        *(job.base, "b" * 64, "c" * 64, job.recipe, steps, steps, False, steps * 10, 1.0),
        *(5.0, 5.0 / steps, 148.4, 1.6, (), {"scripted": "1"}),
    )
    new = output / ".adapter-new"
    new.mkdir()
    # a LoRA without tensors: the model says what its base says
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1}
    (new / "adapter_config.json").write_bytes(msgspec.json.encode(config))
    (new / "adapter_model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (new / RECORD).write_bytes(msgspec.json.encode(record))
    new.rename(output / ADAPTER)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
