"""Reference: the dataset's own solutions, which prove an installation and no model."""

from __future__ import annotations

from crucible_infra.errors import InvalidInput, RequestRefused
from crucible_tasks.challenges import Dataset
from crucible_tasks.completion import Completion, Form
from crucible_tasks.generation import ModelIdentity
from crucible_workers.datasets import load_dataset
from crucible_workers.models import style
from crucible_workers.models.fingerprint import digest_of
from crucible_workers.models.interface import Model, SampleRequest

#: everything comes from memory, so calls need not be small
_PER_CALL = 10_000


class ReferenceModel(Model):
    """Answers every sample of a challenge with the challenge's own solution."""

    def __init__(self, dataset: Dataset | None) -> None:
        self._dataset = dataset

    def identity(self) -> ModelIdentity:
        """The dataset is the model."""
        dataset = self._dataset
        return ModelIdentity(
            spec="reference",
            name="reference",
            server="reference",
            digest=digest_of({"reference": dataset.digest if dataset else ""}),
            style=style.BASE,
            details={"dataset": dataset.name} if dataset else None,
        )

    @property
    def samples_per_call(self) -> int:
        """All of them."""
        return _PER_CALL

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """The same program for every index; RequestRefused where the dataset has none."""
        program = self._program(request.task_id)
        return tuple(Completion(index, Form.SOLUTION, program) for index in request.indices)

    def close(self) -> None:
        """Nothing is held open."""

    def _program(self, task_id: str) -> str:
        if self._dataset is None:
            raise RequestRefused("reference was opened without a dataset")
        try:
            program = self._dataset.by_id(task_id).reference
        except InvalidInput as error:
            raise RequestRefused(error.message, hint=error.hint) from error
        if program is None:
            hint = "this dataset has no solutions of its own; use a model, or replay:FILE"
            raise RequestRefused(f"{task_id} has no reference solution", hint=hint)
        return program


def open_reference(dataset: str | None) -> ReferenceModel:
    """Load the dataset with this digest; None only describes. Raises StorageError."""
    return ReferenceModel(load_dataset(dataset) if dataset else None)
