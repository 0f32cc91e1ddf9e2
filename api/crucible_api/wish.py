"""What is asked of a benchmark: every setting, and what is taken where nobody said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crucible_infra.errors import InvalidInput

if TYPE_CHECKING:
    from crucible_tasks.planning import ImportedCompletion
    from crucible_tasks.sweep_file import SweepFile

DEFAULT_DATASET = "humaneval"

#: one answer per challenge is sampled greedily, as published pass@1 figures are
GREEDY = 0.0

#: several answers must differ; 0.8 is what Chen et al. 2021 found best for pass@100
SEVERAL = 0.8

#: the built-in toy model, where nothing else answers: at 1.2 its samples differ enough for ten of
#: them to find more than one does
TOY_DATASET = "starter"
TOY_N = 10
TOY_TEMPERATURE = 1.2

#: the k people quote; those above n are left out
CUSTOMARY_KS = (1, 10, 100)

#: where a field has another name in a sweep file
FILE_NAMES = {"ns": "n", "ks": "k"}


@dataclass(frozen=True, slots=True)
class Wish:
    """Every setting of a benchmark; several values of one make a sweep."""

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    temperatures: tuple[float, ...]
    styles: tuple[str, ...]
    #: empty where the user did not say
    ns: tuple[int, ...]
    ks: tuple[int, ...]
    seed: int
    top_p: float
    max_tokens: int
    limit: int | None
    cpu_seconds: float | None
    memory_mib: int | None
    priority: int
    #: files, or the word for our own wording
    prompts: tuple[str, ...] = ()
    #: whether a router's members are run alone as well
    with_members: bool = True
    #: whether a router's member that fails passes its turn on
    falls_back: bool = False
    file: SweepFile | None = None
    #: the names of the fields above that the file decided
    of_file: frozenset[str] = frozenset()

    @property
    def chosen_datasets(self) -> tuple[str, ...]:
        """The given ones, each once; else the default."""
        return tuple(dict.fromkeys(self.datasets or (DEFAULT_DATASET,)))

    @property
    def chosen_ns(self) -> tuple[int, ...]:
        """The given ones, each once; else one answer per challenge."""
        return tuple(dict.fromkeys(self.ns or (1,)))

    def of_toy(self) -> Wish:
        """What the built-in toy model is asked instead, as far as the user did not say."""
        return replace(
            self,
            datasets=self.datasets or (TOY_DATASET,),
            ns=self.ns or (TOY_N,),
            temperatures=self.temperatures or (TOY_TEMPERATURE,),
        )

    def temperatures_for(self, n: int) -> tuple[float, ...]:
        """The given ones, each once; else greedy for one answer, spread for several."""
        return tuple(dict.fromkeys(self.temperatures)) or ((GREEDY if n == 1 else SEVERAL),)

    def ks_for(self, n: int) -> tuple[int, ...]:
        """Those of the given ones, else of the customary ones, that n allows."""
        return tuple(k for k in self.ks or CUSTOMARY_KS if k <= n)

    def check(self) -> None:
        """Refuse what could only disappoint at the end. Raises InvalidInput."""
        from crucible_tasks.model_spec import parse

        for spec in self.models:
            with self.blamed("models", spec):
                parse(spec)
        with self.blamed("ks"):
            self._check_ks()

    def _check_ks(self) -> None:
        too_large = [k for k in self.ks if k > max(self.chosen_ns)]
        if too_large:
            raise InvalidInput(
                f"pass@{min(too_large)} needs at least {min(too_large)} completions per challenge",
                hint=f"-n {max(too_large)}",
            )
        for n in self.chosen_ns:
            if not self.ks_for(n):
                raise InvalidInput(f"with n = {n} there is no pass@k to compute", hint="-k 1")

    @contextmanager
    def blamed(self, name: str, value: object = None) -> Iterator[None]:
        """Tell a mistake in something that the file decided as a mistake in the file."""
        try:
            yield
        except InvalidInput as error:
            if self.file is None or name not in self.of_file:
                raise
            raise self.file.error_at(FILE_NAMES.get(name, name), error, value) from error


@dataclass(frozen=True, slots=True)
class SamplesWish:
    """What is asked of `crucible evaluate`."""

    #: a file, or a directory of EvalPlus
    samples: str
    #: a known name or a file
    dataset: str
    #: empty where the user did not say
    ks: tuple[int, ...]
    cpu_seconds: float | None
    memory_mib: int | None


def customary_ks(completions: Sequence[ImportedCompletion]) -> tuple[int, ...]:
    """The k people quote, as far as every challenge has as many completions."""
    counts = Counter(completion.task_id for completion in completions)
    fewest = min(counts.values(), default=1)
    return tuple(k for k in CUSTOMARY_KS if k <= max(1, fewest))
