"""`crucible models export`: weights as safetensors, GGUF or a model of Ollama, and checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_api.cli.registered_names import with_names
from crucible_infra.errors import CrucibleError, InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.model_export import ExportJob, ExportReport

#: the last words of a process that ended without a report
_LAST_WORDS = 300

EPILOG = """\b
Examples:
  crucible models export hf:BASE+ADAPTER --to safetensors -o merged/     one directory, merged
  crucible models export hf:BASE+ADAPTER --to gguf -o out/ --quantize q8_0
  crucible models export my-project-codellama --to gguf -o out/ --adapter-only
  crucible models export hf:BASE+ADAPTER --to ollama --name mine --base codellama:7b
  crucible models export hf:BASE+ADAPTER --to ollama --name mine         merged, no base needed
  crucible models export hf:BASE+ADAPTER --to vllm --name mine --url HOST:8000 -o /shared/mine

\b
Ways to Ollama: with --base, the adapter goes onto that model; where it cannot (DoRA, layers of its
own), or without --base, the merged weights are uploaded. A vLLM that is running reads the adapter
from --output, where it must allow that. llama.cpp takes it when it is started: --adapter-only makes
the file for llama-server --lora. What was done is said.
"""


@click.command(epilog=EPILOG)
@click.argument("model")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice(["safetensors", "gguf", "ollama", "vllm"]),
    help="What the weights become.",
)
@click.option("-o", "--output", metavar="DIR", help="The directory to make; not for ollama.")
@click.option("--name", "tag", metavar="TAG", help="The model's name in Ollama or vLLM.")
@click.option("--url", metavar="URL", help="The server.  [default for ollama: here]")
@click.option("--base", metavar="NAME", help="The model of that Ollama the adapter belongs to.")
@click.option(
    "--quantize",
    "numbers",
    type=click.Choice(["f32", "bf16", "f16", "q8_0"]),
    default="f16",
    show_default=True,
    help="How a GGUF file's matrices are kept.",
)
@click.option("--adapter-only", is_flag=True, help="Write the adapter alone, for gguf.")
@options.speaking
def command(
    voice: Voice,
    *,
    model: str,
    target: str,
    output: str | None,
    tag: str | None,
    url: str | None,
    base: str | None,
    numbers: str,
    adapter_only: bool,
) -> None:
    """Write MODEL, a fine-tune's name or an hf: spec, as safetensors, as GGUF or into Ollama.

    It is done on this host, which fetches a fine-tune's weights where CRUCIBLE_SERVER has them. The
    export is asked afterwards: its greedy answers are compared with
    those of the weights.
    """
    from crucible_tasks.model_export import ExportJob, Numbers, Target
    from crucible_tasks.model_spec import normalise_url

    _check(target, output, tag, url, is_adapter_only=adapter_only)
    weights = _weights(model)
    name = with_names(weights)
    job = ExportJob(
        model=weights,
        target=Target(target),
        output=output,
        tag=tag,
        url=url and normalise_url(url, "/v1" if target == "vllm" else ""),
        base=base,
        numbers=Numbers(numbers),
        adapter_only=adapter_only,
        name=None if name == weights else name.partition("?")[0],
    )
    voice.talk("loading the weights; this can take minutes")
    report = _exported(job)
    if report.problem is not None:
        failure = InvalidInput if report.exit_code == InvalidInput.exit_code else CrucibleError
        raise failure(report.problem, hint=report.hint)
    if voice.is_json:
        voice.data(asdict(report))
    else:
        _tell(voice, report)


def _weights(model: str) -> str:
    """The hf: spec of what is to be exported: the toy's weights and a fine-tune's have one too."""
    from crucible_api.catalogue import weights_here
    from crucible_tasks.fine_tuning import NANO
    from crucible_tasks.model_spec import ModelKind, ModelSpec, parse

    spec = parse(weights_here(current(), model))
    if spec.kind is not ModelKind.NANO:
        return str(spec)
    return str(ModelSpec(ModelKind.HF, spec.name or NANO, adapter=spec.adapter))


def _check(
    target: str, output: str | None, tag: str | None, url: str | None, *, is_adapter_only: bool
) -> None:
    if target in ("ollama", "vllm") and tag is None:
        raise click.UsageError(f"--to {target} wants --name TAG")
    if target == "vllm" and url is None:
        raise click.UsageError("--to vllm wants --url URL")
    if target != "ollama" and output is None:
        raise click.UsageError(f"--to {target} wants --output DIR")
    if output is not None and Path(output).exists():
        # before seconds of imports
        raise InvalidInput(f"{output} exists", hint="name a directory that does not")
    if is_adapter_only and target != "gguf":
        raise click.UsageError("--adapter-only is for --to gguf")


def _exported(job: ExportJob) -> ExportReport:
    """Do it in a process of its own, whose memory is given back whatever happens."""
    import subprocess
    import sys
    import tempfile

    from crucible_tasks.model_export import read_report, write_job

    with tempfile.TemporaryDirectory(prefix="crucible-export-") as folder:
        path = Path(folder) / "job.json"
        write_job(job, path)
        words = [sys.executable, "-m", "crucible_workers.exporter", str(path)]
        done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 -- our own
    report = read_report(done.stdout)
    if report is None:
        last = " ".join(done.stderr.decode(errors="replace").split())[-_LAST_WORDS:]
        problem = f"the exporting process ended with {done.returncode}: {last or 'no word'}"
        raise CrucibleError(problem, hint="-9 is what a host without memory does")
    return report


def _tell(voice: Voice, report: ExportReport) -> None:
    voice.answer(report.made)
    voice.talk(f"way: {report.way}")
    if report.parity is not None:
        voice.talk(
            f"check: {report.parity.equal} of {report.parity.count} {report.parity.of} equal"
        )
    for note in report.notes:
        voice.talk(f"note: {note}")
    if report.spec is not None:
        voice.talk(f"ask it: crucible benchmark -m {report.spec}")
