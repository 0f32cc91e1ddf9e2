"""`crucible benchmark`: sample models on datasets, judge the answers, print pass@k."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import files, options
from crucible_api.cli.model_choice import EXAMPLE, Choice
from crucible_api.cli.output import Voice, as_json, plural
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
    from crucible_api.reports import RunSummary
    from crucible_api.runs import Runs
    from crucible_tasks.challenge import Limits
    from crucible_tasks.challenges import Dataset
    from crucible_tasks.planning import BenchmarkPlan
    from crucible_tasks.sampling import Sampling

DEFAULT_DATASET = "humaneval"

#: one answer per challenge is sampled greedily, as published pass@1 figures are
GREEDY = 0.0

#: several answers must differ; 0.8 is what Chen et al. 2021 found best for pass@100
SEVERAL = 0.8

#: the k people quote; those above n are left out
CUSTOMARY_KS = (1, 10, 100)

EPILOG = f"""\b
Examples:
  crucible benchmark                        what answers on this host, on HumanEval
  {EXAMPLE}
  crucible benchmark -m openai:localhost:8000/v1#my-model -n 20 -k 1,10
  crucible benchmark -m NAME --temperature 0.2 --temperature 0.8 -n 10
  crucible benchmark -m NAME -d humaneval+ -d mbpp+ --output result.json
  crucible benchmark -m NAME --fail-under pass@1=35% --json | jq '."pass@1"'

Several models, datasets or temperatures make a sweep: one run for each combination.

--json prints one object for one run and {{"sweep", "runs": [...]}} for several.
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for, as far as it is the same for every run."""

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    temperatures: tuple[float, ...]
    n: int
    ks: tuple[int, ...]
    seed: int
    top_p: float
    max_tokens: int
    limit: int | None
    style: str | None
    cpu_seconds: float | None
    memory_mib: int | None

    @property
    def chosen_temperatures(self) -> tuple[float, ...]:
        """The given ones; else greedy for one answer, spread for several."""
        return self.temperatures or ((GREEDY if self.n == 1 else SEVERAL),)

    @property
    def chosen_ks(self) -> tuple[int, ...]:
        """The given ones; else the customary ones that n allows."""
        return self.ks or tuple(k for k in CUSTOMARY_KS if k <= self.n)

    def check(self, gate: Gate | None) -> None:
        """Refuse what could only disappoint at the end. Raises InvalidInput."""
        from crucible_tasks.model_spec import parse

        for spec in self.models:
            parse(spec)
        too_large = [k for k in self.chosen_ks if k > self.n]
        if too_large:
            raise InvalidInput(
                f"pass@{too_large[0]} needs at least {too_large[0]} completions per challenge",
                hint=f"-n {too_large[-1]}",
            )
        if gate is not None and gate.k not in self.chosen_ks:
            raise InvalidInput(
                f"--fail-under names {gate.name}, which is not computed",
                hint=f"-k {','.join(map(str, sorted({*self.chosen_ks, gate.k})))}",
            )


@click.command(epilog=EPILOG)
@click.option("-m", "--model", "models", multiple=True, help="A model spec; see crucible models.")
@click.option(
    "-d",
    "--dataset",
    "datasets",
    multiple=True,
    metavar="D",
    help=f"A known name or a file.  [default: {DEFAULT_DATASET}]",
)
@click.option(
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Answers per challenge.",
)
@options.ks
@click.option(
    "--temperature",
    "temperatures",
    multiple=True,
    type=click.FloatRange(min=0),
    metavar="T",
    help=f"Sampling temperature.  [default: {GREEDY:g} for n = 1, else {SEVERAL:g}]",
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="P",
    default=0.95,
    show_default=True,
    help="Nucleus sampling: the likeliest tokens that make up this share.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    metavar="N",
    default=1024,
    show_default=True,
    help="Longest answer; a longer one is cut and counted as truncated.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    metavar="S",
    default=0,
    show_default=True,
    help="Every answer's own seed follows from it.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="L", help="Only the first L challenges."
)
@click.option(
    "--style",
    type=click.Choice(["base", "chat"]),
    help="Continue the prompt, or instruct.  [default: what the model is]",
)
@options.limits
@click.option("--detach", "is_detached", is_flag=True, help="Start on the cluster and leave.")
@options.gate
@options.output("The result as JSON.")
@options.speaking
def command(
    voice: Voice,
    *,
    gate: Gate | None,
    output: str | None,
    is_forced: bool,
    is_detached: bool,
    **rest: Any,
) -> None:
    """Sample models on datasets, judge the answers in the sandbox, print pass@k.

    Without -m this asks CRUCIBLE_MODEL, else what answers on the usual ports (Ollama, LM Studio,
    llama.cpp, vLLM), else `reference`: the dataset's own solutions, which prove the installation.
    """
    wish = Wish(**rest)
    wish.check(gate)
    files.check_writable(output, is_forced=is_forced, is_json=voice.is_json)
    if is_detached and current().is_embedded:
        raise InvalidInput(
            "--detach needs a cluster: without CRUCIBLE_BROKER_URL the work is done by this "
            "process, and nothing would go on after it ends",
            hint="leave --detach out; Ctrl-C keeps everything for crucible runs resume",
        )
    _carry_out(wish, voice, gate=gate, output=output, is_detached=is_detached)


def _carry_out(
    wish: Wish, voice: Voice, *, gate: Gate | None, output: str | None, is_detached: bool
) -> None:
    from crucible_api.cli import following, report
    from crucible_api.cli.hands import judging_hands
    from crucible_api.runs import open_runs

    datasets = _open_datasets(wish)
    runs = open_runs(current())
    if wish.n > 1 and 0.0 in wish.temperatures:
        voice.warn(f"at temperature 0 the {wish.n} answers to a challenge will be the same one")
    with judging_hands(voice):
        plans, choice = _plan(wish, datasets, voice)
        run_ids = [runs.plan_benchmark(plan) for plan in plans]
        if is_detached:
            _leave(runs, run_ids, voice)
            return
        _introduce(plans, voice)
        summaries = _follow_all(runs, run_ids, voice)
    report.show(summaries, voice, output=output)
    if output is not None:
        files.write(output, [as_json(report.document(summaries))], voice)
    _say_what_next(run_ids, choice, voice)
    following.demand(summaries, gate)


def _open_datasets(wish: Wish) -> list[Dataset]:
    from crucible_tasks.challenges import open_dataset, select

    names = dict.fromkeys(wish.datasets or (DEFAULT_DATASET,))
    datasets = [open_dataset(name) for name in names]
    return datasets if wish.limit is None else [select(d, limit=wish.limit) for d in datasets]


def _plan(
    wish: Wish, datasets: Sequence[Dataset], voice: Voice
) -> tuple[list[BenchmarkPlan], Choice]:
    from crucible_api.cli import model_choice
    from crucible_tasks.planning import BenchmarkPlan, new_id

    choice = model_choice.choose(wish.models, wish.style, voice)
    matrix = list(itertools.product(choice.models, datasets, wish.chosen_temperatures))
    sweep_id = new_id() if len(matrix) > 1 else None
    plans = [
        BenchmarkPlan(
            model=model,
            dataset=dataset,
            sampling=_sampling(wish, temperature),
            n=wish.n,
            ks=wish.chosen_ks,
            seed=wish.seed,
            limits=limits_for(dataset, wish.cpu_seconds, wish.memory_mib),
            sweep_id=sweep_id,
        )
        for model, dataset, temperature in matrix
    ]
    return plans, choice


def _sampling(wish: Wish, temperature: float) -> Sampling:
    from crucible_tasks.sampling import Sampling

    return Sampling(temperature=temperature, top_p=wish.top_p, max_tokens=wish.max_tokens)


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


def _introduce(plans: Sequence[BenchmarkPlan], voice: Voice) -> None:
    for number, plan in enumerate(plans, start=1):
        place = f"{number}/{len(plans)}  " if len(plans) > 1 else ""
        total = len(plan.dataset.challenges) * plan.n
        voice.talk(
            f"{place}{plan.model.spec} on {plan.dataset.name}: {plural(total, 'completion')}, "
            f"temperature {plan.sampling.temperature:g}"
        )


def _leave(runs: Runs, run_ids: Sequence[str], voice: Voice) -> None:
    for run_id in run_ids:
        runs.start(run_id)
    if voice.is_json:
        voice.data({"runs": list(run_ids)})
    else:
        voice.answer("\n".join(run_ids))
    voice.talk(f"runs on the cluster; crucible runs follow {run_ids[0]}")


def _follow_all(runs: Runs, run_ids: Sequence[str], voice: Voice) -> list[RunSummary]:
    from crucible_api.cli.following import follow, stoppable

    with stoppable(runs, run_ids, voice):
        if not current().is_embedded:
            # a cluster works on all of them at once; a laptop on one model after the other
            for run_id in run_ids:
                runs.start(run_id)
        for number, run_id in enumerate(run_ids, start=1):
            if current().is_embedded:
                runs.start(run_id)
            label = f"{number}/{len(run_ids)} {run_id}" if len(run_ids) > 1 else ""
            follow(runs, run_id, voice, label=label)
        return [runs.summary(run_id) for run_id in run_ids]


def _say_what_next(run_ids: Sequence[str], choice: Choice, voice: Voice) -> None:
    for run_id in run_ids:
        voice.talk(f"run {run_id}: crucible runs show {run_id} | export {run_id} DIRECTORY")
    if len(run_ids) > 1:
        voice.talk(f"compare: crucible compare {run_ids[0]} {run_ids[1]}")
    if choice.is_fallback:
        voice.announce(
            "no model server answered on the usual ports, so this judged the dataset's own "
            "solutions, which proves this installation and says nothing about a model; "
            f"for a real one: {EXAMPLE}"
        )
