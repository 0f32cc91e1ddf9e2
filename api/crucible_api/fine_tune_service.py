"""Fine-tunes for a command, wherever they are: in the database of this host, or behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from crucible_infra.settings import Settings

if TYPE_CHECKING:
    from crucible_api.fine_tune_reports import FineTuneInfo
    from crucible_api.model_choice import Tell
    from crucible_infra.fine_tune_rows import StepRow
    from crucible_tasks.challenges import Dataset
    from crucible_tasks.corpus.corpus import Corpus
    from crucible_tasks.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be trained, on what, and how it is to be proved."""

    #: of the new model
    name: str
    #: the spec it was asked for with
    model: str
    #: the weights: an id of the hub, an artifact, or a directory of this host
    base: str
    recipe: Recipe
    #: where the corpus came from, for the record
    directory: str
    corpus: Corpus
    #: None where there is none, or nothing is to be proved
    private: Dataset | None
    #: names or files of what else both models answer; empty where nothing is to be proved
    elsewhere: tuple[str, ...]
    #: answers per challenge of the proof
    proof_n: int
    #: that train it together
    hosts: int


class FineTuneService(Protocol):
    """What commands ask of fine-tunes; `FineTunes` says what each of it means and raises."""

    def demand_free(self, name: str) -> None:
        """Raise NameTaken when the name is that of another fine-tune."""
        ...

    def check_dataset(self, name: str) -> None:
        """Raise InvalidInput for a dataset that cannot be had, before minutes are spent."""
        ...

    def plan_asked(self, asked: Asked, tell: Tell) -> str:
        """Write it down, with its proof's first runs; returns its id. Needs workers."""
        ...

    def start(self, fine_tune_id: str) -> None:
        """Have a planned one trained, unless it is begun already."""
        ...

    def resume(self, fine_tune_id: str) -> None:
        """Go on with one that was stopped, killed or has failed; needs workers."""
        ...

    def go_on(self, info: FineTuneInfo) -> None:
        """Go on with what was stopped of its proof."""
        ...

    def stop(self, fine_tune_id: str) -> bool:
        """Have it stopped after a checkpoint; whether there was anything to stop."""
        ...

    def forget(self, fine_tune_id: str, tell: Tell) -> Sequence[str]:
        """Forget it and free its name; returns the artifacts that are gone with it."""
        ...

    def info(self, fine_tune_id: str) -> FineTuneInfo:
        """How it stands."""
        ...

    def steps(self, fine_tune_id: str, after: int = -1) -> tuple[StepRow, ...]:
        """The steps of its training behind this one."""
        ...

    def newest(self, limit: int) -> tuple[FineTuneInfo, ...]:
        """The last ones planned, newest first."""
        ...

    def find(self, text: str) -> FineTuneInfo:
        """The fine-tune a user means."""
        ...


def open_fine_tunes(settings: Settings) -> FineTuneService:
    """The fine-tunes that the settings mean. Raises what opening a database raises."""
    # each brings libraries that the other has no use for
    if settings.server is not None:
        from crucible_api.remote.fine_tunes import open_remote_fine_tunes  # noqa: PLC0415

        return open_remote_fine_tunes(settings)
    from crucible_api.stored_fine_tunes import open_stored_fine_tunes  # noqa: PLC0415

    return open_stored_fine_tunes(settings)
