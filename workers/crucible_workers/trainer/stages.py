"""When a training evaluates, saves and ends: by its own record, so that a resumed one agrees."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from crucible_tasks.recipe import Recipe
from crucible_workers.trainer.gathering import told_by_all
from crucible_workers.trainer.stopping import StopRequest

#: how often the held-out files are asked where the recipe leaves it open
_EVALUATIONS = 20


class Stages(TrainerCallback):
    """Sets the trainer's flags at the end of each step."""

    def __init__(self, recipe: Recipe, steps: int, stop: StopRequest, *, holds_out: bool) -> None:
        self._steps = steps
        self._stop = stop
        self._holds_out = holds_out
        self._patience = recipe.patience
        self._eval_every = recipe.eval_every or max(1, steps // _EVALUATIONS)
        self._save_every = recipe.checkpoint_every or self._eval_every

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Decide what follows this step."""
        del args, kwargs
        step, is_last = state.global_step, state.global_step >= self._steps
        control.should_evaluate = self._holds_out and (is_last or step % self._eval_every == 0)
        control.should_save = is_last or step % self._save_every == 0
        if self._is_asked_to_stop():
            control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep what is better than all before, and end when nothing is for long."""
        del args, kwargs
        losses = evaluations(state.log_history)
        if is_best(losses):
            control.should_save = True
        if is_over(losses, self._patience):
            control.should_save = control.should_training_stop = True

    def _is_asked_to_stop(self) -> bool:
        """Whether any process of the gang was: all must leave the same step."""
        return any(told_by_all(self._stop.is_asked))


def evaluations(history: list[dict[str, Any]]) -> list[float]:
    """The held-out losses of a trainer's record, in their order."""
    return [entry["eval_loss"] for entry in history if "eval_loss" in entry]


def is_best(losses: list[float]) -> bool:
    """Whether the last is lower than all before."""
    return all(losses[-1] < loss for loss in losses[:-1])


def is_over(losses: list[float], patience: int) -> bool:
    """Whether the best was so many evaluations ago; a patience of 0 waits for ever."""
    if not losses or not patience:
        return False
    return len(losses) - 1 - losses.index(min(losses)) >= patience
