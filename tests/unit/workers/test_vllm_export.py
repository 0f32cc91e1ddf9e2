"""An adapter in a vLLM that is running: loaded where its flags allow it, and nothing left else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from crucible_infra.errors import CrucibleError, InvalidInput
from crucible_tasks.model_export import ExportJob, ExportReport, Parity, Target
from crucible_tasks.model_spec import parse
from crucible_workers.exporter import export as exporting
from crucible_workers.exporter import parity
from crucible_workers.models.transformers_merge import answers
from model_server import ModelServer
from tiny_adapter import write_tiny_adapter
from tiny_model import write_tiny_model
from vllm_server import Vllm

#: two are enough to see a difference
PROMPTS, LIMIT = parity.PROMPTS[:2], 8


@pytest.fixture(autouse=True)
def _home(crucible_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crucible_home
    torch.set_num_threads(1)
    monkeypatch.setattr(parity, "PROMPTS", PROMPTS)
    monkeypatch.setattr(parity, "LIMIT", LIMIT)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("vllm") / "tiny")


@pytest.fixture(scope="module")
def spec(base: Path) -> str:
    return f"hf:{base}+{write_tiny_adapter(base.parent / 'tuned')}?style=base"


def _to_vllm(spec: str, vllm: Vllm, output: Path) -> ExportReport:
    with ModelServer(vllm) as server:
        url = f"{server.url}/v1"
        return exporting.export(ExportJob(spec, Target.VLLM, str(output), "mine", url))


def test_an_adapter_is_loaded_into_a_vllm_that_is_running(spec: str, tmp_path: Path) -> None:
    said = dict(zip(PROMPTS, answers(parse(spec), PROMPTS, LIMIT), strict=True))
    vllm = Vllm(lambda prompt, _: said[prompt])
    report = _to_vllm(spec, vllm, tmp_path / "shared")

    assert report.way == "adapter loaded into the running vLLM"
    assert report.parity == Parity("greedy answers of vLLM", 2, 2)
    assert vllm.adapters == {"mine": tmp_path / "shared"}
    assert report.spec is not None
    assert report.spec.endswith("/v1#mine?style=base")
    assert report.notes[0].endswith(f"--lora-modules mine={tmp_path / 'shared'}")
    with pytest.raises(InvalidInput, match="has a model mine already"):
        _to_vllm(spec, vllm, tmp_path / "again")


@pytest.mark.parametrize("vllm", [Vllm(allows_adapters=False), Vllm(highest_rank=2)])
def test_a_vllm_that_takes_no_adapter_is_said_to_need_its_flags(
    vllm: Vllm, spec: str, tmp_path: Path
) -> None:
    with pytest.raises(CrucibleError) as caught:
        _to_vllm(spec, vllm, tmp_path / "shared")

    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in str(caught.value.hint)
    assert "--max-lora-rank 4" in str(caught.value.hint)
    assert not (tmp_path / "shared").exists()


def test_an_adapter_that_vllm_would_read_otherwise_is_not_loaded(
    base: Path, tmp_path: Path
) -> None:
    adapter = write_tiny_adapter(tmp_path / "dora", use_dora=True)
    vllm = Vllm()
    with pytest.raises(InvalidInput) as caught:
        _to_vllm(f"hf:{base}+{adapter}", vllm, tmp_path / "shared")
    assert "--to safetensors merges it" in str(caught.value.hint)
    assert not vllm.adapters
