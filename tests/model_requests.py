"""Requests and waiting times for tests of model clients."""

from __future__ import annotations

from dataclasses import dataclass, field

from crucible_tasks.completion import Form
from crucible_tasks.generation import GenerationRequest, Message, Prompt
from crucible_tasks.sampling import Sampling
from crucible_workers.models.interface import SampleRequest
from crucible_workers.models.patience import Patience

RAW = Prompt(text="def add(a, b):\n", stop=("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint("))
CHAT = Prompt(messages=(Message("system", "You write Python."), Message("user", "Write add.")))
SEED_BASE = 4710


@dataclass(slots=True)
class Waits:
    """Waits for nothing and remembers how long it should have."""

    seconds: list[float] = field(default_factory=list)

    def patience(self, *, first_byte: float = 10.0, idle: float = 10.0) -> Patience:
        return Patience(first_byte=first_byte, idle=idle, sleep=self.seconds.append)


def samples(
    *indices: int, prompt: Prompt = RAW, sampling: Sampling | None = None, task_id: str = "T/0"
) -> SampleRequest:
    """Ask for these indices; sample i has seed 4711 + i."""
    return SampleRequest(
        task_id=task_id,
        prompt=prompt,
        sampling=sampling or Sampling(),
        seed_base=SEED_BASE,
        indices=indices or (0,),
        form=Form.CONTINUATION if prompt.text is not None else Form.RESPONSE,
    )


def generation(model: str, *indices: int, prompt: Prompt = RAW) -> GenerationRequest:
    """The same as a request of the queue."""
    return GenerationRequest(
        run_id="run",
        dataset="no dataset",
        task_id="T/0",
        model=model,
        prompt=prompt,
        sampling=Sampling(),
        seed_base=SEED_BASE,
        indices=indices or (0,),
    )
