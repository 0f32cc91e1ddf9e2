"""The runs of a sweep: every model, dataset, number of answers, temperature and wording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crucible_api.model_choice import Choice, Tell
from crucible_api.wish import Wish
from crucible_infra.errors import InvalidInput

if TYPE_CHECKING:
    from crucible_tasks.challenge import Limits
    from crucible_tasks.challenges import Dataset
    from crucible_tasks.generation import ModelIdentity
    from crucible_tasks.planning import BenchmarkPlan
    from crucible_tasks.sampling import Sampling
    from crucible_tasks.wording import Wording

#: a week of a cluster; ten axes of ten values are a mistake, and would fill the database
MAX_RUNS = 1000


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is to be run, in this order, and how its models were chosen."""

    plans: tuple[BenchmarkPlan, ...]
    choice: Choice

    def companions(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of the plans' runs that a router is only compared with."""
        pairs = zip(self.plans, run_ids, strict=True)
        return tuple(one for plan, one in pairs if plan.model in self.choice.companions)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One combination."""

    model: ModelIdentity
    dataset: Dataset
    n: int
    temperature: float
    wording: Wording | None


def open_datasets(wish: Wish) -> list[Dataset]:
    """The datasets, cut to the limit. Raises InvalidInput for one that cannot be had."""
    from crucible_tasks.challenges import open_dataset, select

    found = []
    for name in wish.chosen_datasets:
        with wish.blamed("datasets", name):
            dataset = open_dataset(name)
            found.append(dataset if wish.limit is None else select(dataset, limit=wish.limit))
    return found


def open_wordings(wish: Wish) -> list[Wording | None]:
    """The wordings, each once, None for our own. Raises InvalidInput for a file that is none."""
    from crucible_tasks.wording import DEFAULT, read_wording

    found: dict[str | None, Wording | None] = {}
    for path in wish.prompts or (DEFAULT,):
        with wish.blamed("prompts", path):
            wording = None if path == DEFAULT else read_wording(path)
            # a file is the same one under another path
            found.setdefault(None if wording is None else wording.sha256, wording)
    return list(found.values())


def plan_matrix(
    wish: Wish, datasets: Sequence[Dataset], wordings: Sequence[Wording | None], tell: Tell
) -> Matrix:
    """Every combination; needs workers, who know the models.

    Raises InvalidInput for more than MAX_RUNS and for a wording that a base model cannot be asked
    in, and what `model_choice.choose` raises.
    """
    from crucible_tasks.planning import BenchmarkPlan, new_id

    for n in wish.chosen_ns:
        if n > 1 and 0.0 in wish.temperatures:
            tell(f"at temperature 0 the {n} answers to a challenge will be the same one")
    choice = _with_members(_choose(wish, tell), wish)
    asked = choice.models if choice.toy is None else (*choice.models, choice.toy)
    _check_wordings(wish, asked, wordings)
    cells = list(_cells_of(choice, wish, datasets, wordings))
    if len(cells) > MAX_RUNS:
        raise InvalidInput(f"this sweep has {len(cells)} runs; at most {MAX_RUNS} make one")
    sweep_id = new_id() if len(cells) > 1 else None
    plans = tuple(
        BenchmarkPlan(
            model=cell.model,
            dataset=cell.dataset,
            sampling=_sampling(wish, cell.temperature),
            n=cell.n,
            ks=wish.ks_for(cell.n),
            seed=wish.seed,
            limits=limits_for(cell.dataset, wish.cpu_seconds, wish.memory_mib),
            sweep_id=sweep_id,
            priority=wish.priority,
            wording=cell.wording,
        )
        for cell in cells
    )
    return Matrix(plans, choice)


def limits_for(
    dataset: Dataset, cpu_seconds: float | None, memory_mib: int | None
) -> Limits | None:
    """The dataset's limits with what the user changed; None leaves each challenge its own."""
    if cpu_seconds is None and memory_mib is None:
        return None
    own = dataset.challenges[0].limits
    if any(challenge.limits != own for challenge in dataset.challenges):
        raise InvalidInput(
            f"the challenges of {dataset.name} have limits of their own, which differ",
            hint="leave --cpu-seconds and --memory-mib out",
        )
    return replace(
        own,
        cpu_seconds=own.cpu_seconds if cpu_seconds is None else cpu_seconds,
        memory_mib=own.memory_mib if memory_mib is None else memory_mib,
    )


def _choose(wish: Wish, tell: Tell) -> Choice:
    """The models in every style asked for; they are looked for only once."""
    from crucible_api import model_choice

    first, *others = wish.styles or (None,)
    choice = model_choice.choose(wish.models, first, tell)
    specs = wish.models or tuple(model.spec.partition("?style=")[0] for model in choice.models)
    more = [model_choice.choose(specs, style, tell).models for style in dict.fromkeys(others)]
    # a model without styles, like a replay, is the same one in each
    models = {
        (model.spec, model.style): model for found in (choice.models, *more) for model in found
    }
    return replace(choice, models=tuple(models.values()))


def _with_members(choice: Choice, wish: Wish) -> Choice:
    """Behind each router its members, which it is worth its cost against, or not."""
    from crucible_api.model_choice import describe
    from crucible_api.router_choice import with_fallback
    from crucible_tasks.router import router_in

    chosen = [with_fallback(one) if wish.falls_back else one for one in choice.models]
    models: dict[tuple[str, str], ModelIdentity] = {}
    for model in chosen:
        models.setdefault((model.spec, model.style), model)
        router = router_in(model.spec)
        for member in router.members if router and wish.with_members else ():
            alone = describe(member.spec)
            models.setdefault((alone.spec, alone.style), alone)
    found = tuple(models.values())
    return replace(
        choice, models=found, companions=tuple(one for one in found if one not in chosen)
    )


def _cells_of(
    choice: Choice, wish: Wish, datasets: Sequence[Dataset], wordings: Sequence[Wording | None]
) -> Iterator[_Cell]:
    if choice.toy is not None:
        toy_wish = wish.of_toy()
        its_datasets = datasets if wish.datasets else open_datasets(toy_wish)
        yield from _cells(toy_wish, (choice.toy,), its_datasets, wordings)
    yield from _cells(wish, choice.models, datasets, wordings)


def _cells(
    wish: Wish,
    models: Sequence[ModelIdentity],
    datasets: Sequence[Dataset],
    wordings: Sequence[Wording | None],
) -> Iterator[_Cell]:
    from crucible_tasks.planning import takes_prompts

    # all of one model, then the next: a GPU that holds only one loads each once
    for model in models:
        # a replay reads no prompt, so it is the same run in every wording
        its_wordings = wordings if takes_prompts(model.server) else (None,)
        for dataset in datasets:
            for n in wish.chosen_ns:
                for temperature in wish.temperatures_for(n):
                    for wording in its_wordings:
                        yield _Cell(model, dataset, n, temperature, wording)


def _check_wordings(
    wish: Wish, models: Sequence[ModelIdentity], wordings: Sequence[Wording | None]
) -> None:
    """Before the first run is written down."""
    from crucible_tasks.planning import takes_prompts

    if any(takes_prompts(model.server) and model.style == "base" for model in models):
        for wording in filter(None, wordings):
            with wish.blamed("prompts", wording.path):
                wording.check_for_base()


def _sampling(wish: Wish, temperature: float) -> Sampling:
    from crucible_tasks.sampling import Sampling

    return Sampling(temperature=temperature, top_p=wish.top_p, max_tokens=wish.max_tokens)
