"""What the user asked a benchmark for: the flags, over the sweep file, over the defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from crucible_infra.errors import InvalidInput

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
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

#: where a parameter of the command has another name in a sweep file
_FILE_NAMES = {"ns": "n", "ks": "k"}


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

    def check(self, gate: Gate | None) -> None:
        """Refuse what could only disappoint at the end. Raises InvalidInput."""
        from crucible_tasks.model_spec import parse

        for spec in self.models:
            with self.blamed("models", spec):
                parse(spec)
        with self.blamed("ks"):
            self._check_ks()
        computed = [self.ks_for(n) for n in self.chosen_ns]
        if gate is not None and any(gate.k not in ks for ks in computed):
            raise InvalidInput(
                f"--fail-under names {gate.name}, which is not computed",
                hint=f"-k {','.join(map(str, sorted({gate.k}.union(*computed))))}",
            )

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
            raise self.file.error_at(_FILE_NAMES.get(name, name), error, value) from error


def read_wish(context: click.Context, sweep: str | None, given: dict[str, Any]) -> Wish:
    """The command's parameters, with the file's values where no flag was given.

    Raises FormatError, InvalidInput.
    """
    if sweep is None:
        return Wish(**given)
    from crucible_tasks.sweep_file import read_sweep_file

    file = read_sweep_file(sweep)
    of_file = {
        name: value
        for name in given
        # what is about routers is said by flags alone
        if (value := getattr(file, _FILE_NAMES.get(name, name), None)) is not None
        and context.get_parameter_source(name) is ParameterSource.DEFAULT
    }
    return Wish(**{**given, **of_file}, file=file, of_file=frozenset(of_file))
