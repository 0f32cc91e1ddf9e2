"""`crucible benchmark`: sample models on datasets, judge the answers, print pass@k."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import files, options
from crucible_api.cli.output import Voice, as_json, plural
from crucible_api.cli.wish import check, read_wish
from crucible_api.model_choice import EXAMPLE
from crucible_api.wish import DEFAULT_DATASET, GREEDY, SEVERAL, Wish
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current
from crucible_tasks.priority import PRIORITIES

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
    from crucible_api.reports import RunSummary
    from crucible_api.run_service import Planned, RunService

#: runs of a sweep that are announced; more would push what matters off the screen
_INTRODUCED = 12

EPILOG = f"""\b
Examples:
  crucible benchmark                        what answers on this host, on HumanEval
  crucible benchmark -m nano -d starter -n 10   a toy model, which needs no server
  {EXAMPLE}
  crucible benchmark -m openai:localhost:8000/v1#my-model -n 20 -k 1,10
  crucible benchmark -m NAME --temperature 0.2 --temperature 0.8 -n 10
  crucible benchmark -m hybrid -n 10           a router, and each of its members alone
  crucible benchmark -m NAME -d humaneval+ -d mbpp+ --output result.json
  crucible benchmark -m NAME --fail-under pass@1=35% --json | jq '."pass@1"'

Several models, datasets, temperatures, styles, prompts or -n make a sweep: one run for each
combination. A sweep can be a file, for `crucible benchmark --sweep weekend.yaml`; every key is
optional:

\b
  models: [ollama:qwen2.5-coder:1.5b, ollama:qwen2.5-coder:7b]
  datasets: [humaneval+, mbpp+]
  temperatures: [0.2, 0.8]
  styles: [base, chat]      # how prompts are made
  prompts: [default, p.txt] # in which words
  n: [1, 20]                # answers per challenge
  k: [1, 10]                # each run reports those its n allows
  seed: 0
  limit: 50                 # only the first 50 challenges
  priority: -5              # -10 to 10; higher goes first on a cluster
  # and top_p, max_tokens, cpu_seconds, memory_mib

A prompt file is a text of yours, UTF-8, with {{request}} where the challenge belongs: chat models
get all of it as their message; base models continue it, so that it must end with {{request}}.
`default` is our own wording. Paths in a sweep file are seen from the working directory. Models that
are asked nothing, replays and `reference`, have one run whatever the prompts are.

--json prints one object for one run and {{"sweep", "runs": [...]}} for several.
"""


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
    "ns",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Answers per challenge.  [default: 1]",
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
    "styles",
    multiple=True,
    type=click.Choice(["base", "chat"]),
    help="Continue the prompt, or instruct.  [default: what the model is]",
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="FILE",
    help="Ask in your own words, around {request} in this file; or `default`.",
)
@click.option(
    "--members/--no-members",
    "with_members",
    default=True,
    show_default=True,
    help="Run each member of a router alone, too.",
)
@click.option(
    "--allow-fallback",
    "falls_back",
    is_flag=True,
    help="Let a router's next member answer where one fails; the shares say how often.",
)
@options.limits
@click.option(
    "--priority",
    type=click.IntRange(PRIORITIES.start, PRIORITIES.stop - 1),
    metavar="P",
    default=0,
    show_default=True,
    help="On a cluster, runs of a higher one go first; -10 to 10.",
)
@click.option("--sweep", metavar="FILE", help="A YAML file with these settings; flags override it.")
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
    sweep: str | None,
    **rest: Any,
) -> None:
    """Sample models on datasets, judge the answers in the sandbox, print pass@k.

    Without -m this asks the configured `model` (CRUCIBLE_MODEL), else what answers on the usual
    ports (Ollama, LM Studio, llama.cpp, vLLM): `hybrid`, a router, where more than one does. Else
    it asks the built-in toy model, `nano`, on `starter`, and beside it `reference`: the dataset's
    own solutions, which prove the installation.
    """
    wish = read_wish(click.get_current_context(), sweep, rest)
    check(wish, gate)
    files.check_writable(output, is_forced=is_forced, is_json=voice.is_json)
    if is_detached and current().runs_here:
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
    from crucible_api.cli.hands import run_hands
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    readied = runs.ready_benchmark(wish)
    with run_hands(voice):
        planned = readied.plan(voice.announce)
        if is_detached:
            _leave(runs, planned, voice)
            return
        # a server has begun by now
        with following.stoppable(runs, planned.run_ids, voice):
            _introduce(runs, planned, voice)
            summaries = _work(runs, planned, voice)
    report.show(summaries, voice, output=output)
    if output is not None:
        files.write(output, [as_json(report.document(summaries))], voice)
    _say_what_next(planned, voice)
    following.demand(summaries, None)
    # not about those a router is only compared with
    following.demand([one for one in summaries if one.run.id not in planned.companions], gate)


def _introduce(runs: RunService, planned: Planned, voice: Voice) -> None:
    from crucible_api.cli.report import tells_prompt

    total = len(planned.run_ids)
    for number, run_id in enumerate(planned.run_ids[:_INTRODUCED], start=1):
        run = runs.find_run(run_id)
        place = f"{number}/{total}  " if total > 1 else ""
        voice.talk(
            f"{place}{run.model_text} on {run.dataset}: "
            f"{plural(run.challenges * run.n, 'completion')}, temperature {run.temperature:g}"
            + (f", prompt {run.prompt}" if tells_prompt([run]) else "")
        )
    if total > _INTRODUCED:
        voice.talk(f"and {plural(total - _INTRODUCED, 'more run')}")


def _leave(runs: RunService, planned: Planned, voice: Voice) -> None:
    for run_id in planned.run_ids:
        runs.start(run_id)
    sweep_id = planned.sweep_id
    if voice.is_json:
        voice.data({"sweep": sweep_id, "runs": list(planned.run_ids)})
    else:
        voice.answer("\n".join(planned.run_ids))
    where = current().server or "the cluster"
    if sweep_id is None:
        voice.talk(f"runs on {where}; crucible runs follow {planned.run_ids[0]}")
    else:
        voice.talk(
            f"sweep {sweep_id} runs on {where}; crucible runs follow {sweep_id} | "
            f"crucible sweeps show {sweep_id}"
        )


def _work(runs: RunService, planned: Planned, voice: Voice) -> list[RunSummary]:
    from crucible_api.cli.following import follow

    run_ids = planned.run_ids
    name = f"sweep {planned.sweep_id}" if planned.sweep_id else ""
    # a cluster works on all of them at once; a laptop on one model after the other
    begin = runs.start if current().runs_here else None
    if begin is None:
        for run_id in run_ids:
            runs.start(run_id)
    follow(runs, run_ids, voice, begin=begin, name=name)
    return [runs.summary(run_id) for run_id in run_ids]


def _say_what_next(planned: Planned, voice: Voice) -> None:
    run_ids = planned.run_ids
    if len(run_ids) == 1:
        run_id = run_ids[0]
        voice.talk(f"run {run_id}: crucible runs show {run_id} | export {run_id} DIRECTORY")
    else:
        voice.talk(f"sweep: crucible sweeps show {planned.sweep_id}")
        if not planned.has_toy:
            voice.talk(f"compare: crucible compare {run_ids[0]} {run_ids[1]}")
    if planned.has_toy:
        voice.announce(
            "no model server answered on the usual ports, so this sampled the built-in nano, a "
            "toy that shows what a run looks like, and judged the dataset's own solutions, which "
            "proves this installation; neither says anything about a real model, which is asked "
            f"with: {EXAMPLE}"
        )
