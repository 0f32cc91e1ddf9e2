"""Exports weights in the way that loses least, and says which way that was."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from crucible_infra.errors import CrucibleError, InvalidInput
from crucible_tasks.model_export import ExportJob, ExportReport, Numbers, Parity, Target
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse
from crucible_workers.exporter import gguf_adapter, gguf_model, parity
from crucible_workers.exporter.gguf_layout import layout_of
from crucible_workers.exporter.ollama import Creation, OllamaServer, patience
from crucible_workers.exporter.ollama_template import PLAIN, chat_template
from crucible_workers.exporter.vllm import VllmServer
from crucible_workers.models import style
from crucible_workers.models.ollama import open_ollama
from crucible_workers.models.openai_server import open_openai
from crucible_workers.models.transformers_merge import Merged, answers, merge
from crucible_workers.models.transformers_weights import Weights, describe
from crucible_workers.weight_files import CONFIG, locate, read_json

#: share of equal answers below which an export of the whole numbers is called broken
_BROKEN = 0.5


def export(job: ExportJob) -> ExportReport:
    """Do the job. Raises CrucibleError, and leaves nothing behind then."""
    spec = parse(job.model)
    if spec.kind is not ModelKind.HF:
        hint = "write hf:PATH_OR_ID[+ADAPTER], or the name of a fine-tune"
        raise InvalidInput(f"{job.model} has no weights that could be exported", hint=hint)
    if job.target is Target.OLLAMA:
        return _to_ollama(job, spec)
    if job.output is None:
        raise InvalidInput("an export needs a directory")
    if job.target is Target.VLLM:
        return _to_vllm(job, spec, Path(job.output).absolute())
    with _new_directory(Path(job.output)) as directory:
        if job.target is Target.SAFETENSORS:
            report = _to_safetensors(job, spec, directory)
        elif job.adapter_only:
            report = _to_adapter(job, spec, directory / f"{_name(job, spec)}-lora.gguf")
        else:
            report = _to_gguf(job, spec, directory / f"{_name(job, spec)}-{job.numbers}.gguf")
    # it has its own name by now
    return replace(report, made=str(Path(job.output) / report.made))


def _to_safetensors(job: ExportJob, spec: ModelSpec, directory: Path) -> ExportReport:
    merged = merge(spec, directory, parity.PROMPTS, parity.LIMIT)
    found = answers(ModelSpec(ModelKind.HF, str(directory)), parity.PROMPTS, parity.LIMIT)
    check = _checked(parity.compare("greedy answers after loading it again", merged.said, found))
    way = "adapter merged, as safetensors" if spec.adapter else "as safetensors"
    again = str(ModelSpec(ModelKind.HF, str(Path(job.output or "").absolute())))
    return ExportReport(way=way, spec=again, parity=check)


def _to_adapter(job: ExportJob, spec: ModelSpec, path: Path) -> ExportReport:
    base, adapter = locate(spec.name), _adapter(spec)
    # that they belong to each other
    describe(spec)
    gguf_adapter.write_adapter(adapter, base, path, _name(job, spec))
    check = _checked(gguf_adapter.read_adapter_back(adapter, base, path))
    note = "use it with its base: llama-server --model BASE.gguf --lora FILE"
    return ExportReport(way="adapter, as GGUF", made=path.name, parity=check, notes=(note,))


def _to_gguf(job: ExportJob, spec: ModelSpec, path: Path) -> ExportReport:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".merged-") as folder:
        merged = merge(spec, Path(folder) / "model", parity.PROMPTS, parity.LIMIT)
        check, notes = _write_gguf(job, Path(folder) / "model", path, merged)
    way = f"{'adapter merged, ' if spec.adapter else ''}as GGUF {job.numbers}"
    return ExportReport(way=way, made=path.name, parity=check, notes=notes)


def _write_gguf(
    job: ExportJob, model: Path, path: Path, merged: Merged
) -> tuple[Parity, tuple[str, ...]]:
    gguf_model.write_gguf(model, path, job.numbers, job.name or merged.identity.name)
    check = _checked(gguf_model.read_back(model, path, job.numbers), least=1.0)
    if parity.has_llama_cpp():
        tokens = describe(ModelSpec(ModelKind.HF, str(model))).tokens
        return _checked(parity.of_llama_cpp(path, merged.said, tokens)), ()
    return check, ("llama-cpp-python is not installed, so no answers were compared",)


def _to_ollama(job: ExportJob, spec: ModelSpec) -> ExportReport:
    if job.tag is None:
        raise InvalidInput("an export to Ollama needs a name")
    server = OllamaServer(job.url, patience())
    try:
        server.check_free(job.tag)
        with tempfile.TemporaryDirectory(prefix="crucible-export-") as folder:
            made = _onto_base(job, spec, server, Path(folder))
            made = made or _whole(job, spec, server, Path(folder))
        return _asked(job, server, made)
    finally:
        server.close()


def _to_vllm(job: ExportJob, spec: ModelSpec, output: Path) -> ExportReport:
    """The adapter beside a running server's base, which has to be the one it was trained on."""
    adapter = _adapter(spec)
    if job.tag is None or job.url is None:
        raise InvalidInput("an export to vLLM needs a name and a URL")
    reason = gguf_adapter.reason_against(adapter)
    if reason is not None:
        hint = "--to safetensors merges it; serve that"
        raise InvalidInput(
            f"vLLM would not read this adapter as it was trained: {reason}", hint=hint
        )
    # that they belong to each other
    describe(spec)
    server = VllmServer(job.url, patience())
    try:
        server.check_free(job.tag)
        with _new_directory(output) as directory:
            shutil.copytree(adapter, directory, dirs_exist_ok=True)
        try:
            server.load(job.tag, output)
        except CrucibleError:
            shutil.rmtree(output, ignore_errors=True)
            raise
        return _asked_vllm(job.tag, spec, server, output)
    finally:
        server.close()


def _asked_vllm(tag: str, spec: ModelSpec, server: VllmServer, output: Path) -> ExportReport:
    asked = ModelSpec(ModelKind.OPENAI, tag, server.url, style=spec.style)
    said = answers(spec, parity.PROMPTS, parity.LIMIT)
    try:
        model = open_openai(asked, server.url, patience(), server.key)
        try:
            # its numbers are those of its own base, which may be quantised
            found = parity.of_model(model, said, "greedy answers of vLLM")
        finally:
            model.close()
    except CrucibleError:
        server.unload(tag)
        shutil.rmtree(output, ignore_errors=True)
        raise
    note = f"when it is started again: --lora-modules {tag}={output}"
    way = "adapter loaded into the running vLLM"
    return ExportReport(way=way, made=tag, spec=str(asked), parity=found, notes=(note,))


@dataclass(frozen=True, slots=True)
class _Made:
    """A model that was made in Ollama, and what its weights said before."""

    way: str
    said: tuple[str, ...]
    notes: tuple[str, ...] = ()
    #: whether other numbers than the weights' own answer
    is_approximate: bool = False


def _onto_base(job: ExportJob, spec: ModelSpec, server: OllamaServer, folder: Path) -> _Made | None:
    """The adapter on a model the server has; None where it cannot be one."""
    if job.base is None or spec.adapter is None:
        return None
    base, adapter = locate(spec.name), _adapter(spec)
    if gguf_adapter.reason_against(adapter) is not None:
        return None
    config = read_json(base / CONFIG)
    server.check_base(job.base, layout_of(config).name, config)
    path = folder / "adapter.gguf"
    gguf_adapter.write_adapter(adapter, base, path, _name(job, spec))
    assert job.tag is not None
    server.create(Creation(job.tag, path, base=job.base))
    said = answers(spec, parity.PROMPTS, parity.LIMIT)
    return _Made(f"adapter as GGUF on {job.base}", said, is_approximate=True)


def _whole(job: ExportJob, spec: ModelSpec, server: OllamaServer, folder: Path) -> _Made:
    """The merged weights as a model of their own."""
    model, path = folder / "model", folder / "model.gguf"
    merged = merge(spec, model, parity.PROMPTS, parity.LIMIT)
    _, notes = _write_gguf(job, model, path, merged)
    weights = describe(ModelSpec(ModelKind.HF, str(model)))
    template, note = _template(weights, merged)
    assert job.tag is not None
    server.create(Creation(job.tag, path, template=template))
    if job.base is not None:
        reason = gguf_adapter.reason_against(_adapter(spec)) if spec.adapter else "there is none"
        notes = (f"the adapter could not go onto {job.base}: {reason}", *notes)
    way = f"{'adapter merged, ' if spec.adapter else ''}as GGUF {job.numbers}"
    is_approximate = job.numbers is Numbers.Q8_0
    return _Made(way, merged.said, (*notes, *note), is_approximate=is_approximate)


def _template(weights: Weights, merged: Merged) -> tuple[str, tuple[str, ...]]:
    if merged.identity.style == style.BASE:
        return PLAIN, ()
    found = chat_template(weights.tokens.chat, weights.tokens.beginning)
    if found is None:
        note = "its chat template could not be written in Ollama's language: it continues text"
        return PLAIN, (note,)
    return found.text, () if found.note is None else (found.note,)


def _asked(job: ExportJob, server: OllamaServer, made: _Made) -> ExportReport:
    spec = ModelSpec(ModelKind.OLLAMA, job.tag or "", job.url)
    model = open_ollama(spec, server.url, patience())
    try:
        found = parity.of_model(model, made.said, "greedy answers of Ollama")
    finally:
        model.close()
    try:
        check = found if made.is_approximate else _checked(found)
    except CrucibleError:
        server.delete(spec.name)
        raise
    return ExportReport(
        way=made.way, made=job.tag or "", spec=str(spec), parity=check, notes=made.notes
    )


def _checked(found: Parity, least: float = _BROKEN) -> Parity:
    if found.equal < least * found.count:
        raise CrucibleError(
            f"the export is broken: {found.equal} of {found.count} {found.of} are equal",
            hint="nothing was kept; please report the model's family",
        )
    return found


def _adapter(spec: ModelSpec) -> Path:
    if spec.adapter is None:
        raise InvalidInput(f"{spec} has no adapter", hint="write hf:BASE+ADAPTER")
    return locate(spec.adapter)


def _name(job: ExportJob, spec: ModelSpec) -> str:
    return Path(job.name or spec.adapter or spec.name).name.replace(":", "-")


@contextmanager
def _new_directory(directory: Path) -> Iterator[Path]:
    """A directory that appears when the block ends well."""
    if directory.exists():
        raise InvalidInput(f"{directory} exists", hint="name a directory that does not")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}-"))
    except OSError as error:
        raise InvalidInput(f"{directory} cannot be made: {error.strerror}") from error
    try:
        yield partial
        partial.chmod(0o755)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
