"""One training job from its corpus to its adapter; TRL's SFTTrainer does the training.

Untested, for want of a GPU: torch.compile, Liger's kernels, flash attention and fsdp. The recipe's
`auto` takes the first two only on a GPU, and the kernels only where they are installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from crucible_tasks.fine_tuning import (
    ADAPTER,
    CHECKPOINTS,
    PROGRESS,
    RECORD,
    AdapterRecord,
    TrainingJob,
    TrainingStep,
)
from crucible_tasks.recipe import Choice, Recipe
from crucible_workers.trainer.adapter import (
    best_of,
    finish,
    held_out_files,
    library_versions,
    perplexity,
)
from crucible_workers.trainer.adapting import adapter_shape
from crucible_workers.trainer.checkpoints import (
    Checkpoint,
    MakeWhole,
    remove_partial,
    whole_checkpoints,
)
from crucible_workers.trainer.gathering import told_by_all
from crucible_workers.trainer.held_out import FileLoss, HeldOut
from crucible_workers.trainer.packing import collator
from crucible_workers.trainer.preparation import Preparation, prepare, use_threads
from crucible_workers.trainer.progress import Progress, ProgressFile, memory_in_use
from crucible_workers.trainer.sharing import last_of_all
from crucible_workers.trainer.stages import Stages, is_over
from crucible_workers.trainer.stopping import StopRequest
from crucible_workers.trainer.weights import attention, computes_in_bfloat16, load

#: a first compilation takes minutes, which fewer steps do not give back
_STEPS_WORTH_COMPILING = 500

_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


def train(job: TrainingJob, stop: StopRequest, note: Callable[[str], None]) -> bool:
    """Do the job, or what is left of it; False if it was asked to stop before the end.

    Raises InvalidInput, NotEnoughMemory, LossDiverged, and whatever libraries raise.
    """
    output = Path(job.output)
    if (output / ADAPTER / RECORD).exists():
        return True
    use_threads(job.recipe.threads)
    prepared = prepare(job)
    if prepared.gang.leads:
        for text in prepared.notes:
            note(text)
    (output / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    # nobody writes one yet: the first waits for all
    remove_partial(output / CHECKPOINTS)
    try:
        return _Training(job, prepared, stop).run()
    finally:
        if prepared.gang.leads:
            remove_partial(output / CHECKPOINTS)


class _Training:
    """The steps of one process."""

    def __init__(self, job: TrainingJob, prepared: Preparation, stop: StopRequest) -> None:
        self._job = job
        self._prepared = prepared
        self._stop = stop
        self._output = Path(job.output)
        self._identity = prepared.identity(job)
        self._collate = collator(
            prepared.tokens.padding, attention(prepared.gang.device), job.recipe.sequence_tokens
        )
        self._held_out = (
            HeldOut(prepared.held_out_rows, prepared.held_out, self._collate)
            if prepared.held_out_rows is not None
            else None
        )
        self._file = ProgressFile(self._output / PROGRESS)
        self._began = time.monotonic()
        self._files_before: dict[str, FileLoss] = {}

    def run(self) -> bool:
        """Train to the end, unless it is asked to stop."""
        last = last_of_all(self._output / CHECKPOINTS, self._identity)
        trainer = self._trainer()
        before = trainer.ask_held_out()
        self._files_before = {} if self._held_out is None else self._held_out.files
        if last is None and self._prepared.gang.leads:
            self._file.write(self._step_0(before))
        if not self._is_done():
            self._stop.is_heard = True
            trainer.train(resume_from_checkpoint=str(last.directory) if last else None)
        if not self._is_done():
            return False
        if self._prepared.gang.leads:
            self._finish(before)
        return True

    def _whole(self) -> list[Checkpoint]:
        return whole_checkpoints(self._output / CHECKPOINTS, self._identity)

    def _is_done(self) -> bool:
        """Whether nothing is left to train; the process that writes the checkpoints knows."""
        answer = False
        if self._prepared.gang.leads and (checkpoints := self._whole()):
            last = checkpoints[-1]
            losses = [*last.held_out_losses().values()]
            is_last = last.step >= self._prepared.schedule.steps
            answer = is_last or is_over(losses, self._job.recipe.patience)
        return bool(told_by_all(answer)[0])

    def _trainer(self) -> _Trainer:
        prepared, recipe = self._prepared, self._job.recipe
        steps = prepared.schedule.steps
        return _Trainer(
            model=load(prepared.base, recipe, prepared.gang.device),
            args=_arguments(self._output / CHECKPOINTS, recipe, prepared),
            data_collator=self._collate,
            train_dataset=prepared.rows.select(prepared.schedule.order),
            processing_class=prepared.base.tokenizer,
            peft_config=adapter_shape(recipe),
            callbacks=[
                Stages(recipe, steps, self._stop, holds_out=self._held_out is not None),
                Progress(self._file, prepared.schedule, prepared.work, prepared.gang.size),
                MakeWhole(self._output / CHECKPOINTS, self._identity, self._held_out),
            ],
            held_out=self._held_out,
        )

    def _step_0(self, held_out_loss: float | None) -> TrainingStep:
        steps = self._prepared.schedule.steps
        return TrainingStep(
            0, steps, None, held_out_loss, None, 0, None, None, memory_in_use(), 0.0
        )

    def _finish(self, before: float | None) -> None:
        checkpoints = self._whole()
        last, best = checkpoints[-1], best_of(checkpoints)
        loss = last.held_out_losses().get(best.step)
        notes = [*self._prepared.notes]
        if before is not None and loss is not None and loss >= before:
            notes.append("the held-out loss never fell below the base model's")
        record = AdapterRecord(
            base=self._job.base,
            base_digest=self._prepared.base_digest,
            corpus_digest=self._prepared.corpus_digest,
            recipe=self._job.recipe,
            steps=last.step,
            kept_step=best.step,
            stopped_early=last.step < self._prepared.schedule.steps,
            tokens=self._prepared.schedule.tokens[last.step],
            seconds=time.monotonic() - self._began,
            held_out_loss_before=before,
            held_out_loss=loss,
            perplexity_before=perplexity(before),
            perplexity=perplexity(loss),
            notes=tuple(notes),
            versions=library_versions(),
            held_out_files=held_out_files(self._files_before, best.held_out_files()),
        )
        finish(best, record, self._output / ADAPTER)


class _Trainer(SFTTrainer):
    """TRL's trainer with our held-out loss, which is exact."""

    control: Any

    def __init__(self, *, held_out: HeldOut | None, **options: Any) -> None:
        super().__init__(**options)
        self._crucible_held_out = held_out
        # it prints on stdout
        self.remove_callback(PrinterCallback)

    def ask_held_out(self) -> float | None:
        """The held-out loss now; None where nothing is held out."""
        if self._crucible_held_out is None:
            return None
        return self._crucible_held_out.loss(self.model, self.accelerator.autocast())

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """What the trainer asks when Stages says so."""
        loss = self.ask_held_out()
        assert loss is not None
        metrics = {"eval_loss": loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


def _arguments(directory: Path, recipe: Recipe, prepared: Preparation) -> SFTConfig:
    gang, steps = prepared.gang, prepared.schedule.steps
    has_gpu = gang.device.type == "cuda"
    if has_gpu and recipe.deterministic:
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
    rows = recipe.batch // gang.size
    return SFTConfig(
        output_dir=str(directory),
        # rows come as they were laid out; a resumed process goes on where it was
        train_sampling_strategy="sequential",
        max_steps=steps,
        per_device_train_batch_size=prepared.plan.micro_batch,
        gradient_accumulation_steps=rows // prepared.plan.micro_batch,
        average_tokens_across_devices=True,
        # every adapter takes part in every step, and looking for others costs a tenth
        ddp_find_unused_parameters=False,
        learning_rate=recipe.rate,
        lr_scheduler_type=_SCHEDULES[recipe.schedule],
        warmup_steps=_warmup_steps(recipe, steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        optim="adamw_torch",
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not has_gpu,
        bf16=computes_in_bfloat16(recipe, gang.device),
        gradient_checkpointing=prepared.plan.is_checkpointed,
        torch_compile=has_gpu and _chosen(recipe.compile, steps >= _STEPS_WORTH_COMPILING),
        use_liger_kernel=has_gpu and _chosen(recipe.kernels, find_spec("liger_kernel") is not None),
        fsdp="full_shard auto_wrap" if recipe.sharding == "fsdp" else "",
        # rows are ready: TRL's own preparation cuts off 94 of 100 tokens of long files
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        # Stages decides when to evaluate and save
        eval_strategy="no",
        save_strategy="no",
        logging_steps=1,
        # a loss that is no number must be seen
        logging_nan_inf_filter=False,
        dataloader_pin_memory=has_gpu,
        report_to=[],
        disable_tqdm=True,
    )


def _warmup_steps(recipe: Recipe, steps: int) -> int:
    """The first of them has a rate of 0, so that a single one would only waste a step."""
    found = int(recipe.warmup * steps)
    return found if found > 1 else 0


def _chosen(choice: Choice, otherwise: bool) -> bool:  # noqa: FBT001 -- the default of a switch
    return otherwise if choice is Choice.AUTO else choice is Choice.ON
