"""What is posted names no file of the server, and no artifact can be too much for it."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_api.http import posted
from crucible_api.http.allowed import check_model, check_weights
from crucible_api.http.forms import BenchmarkForm, EvaluationForm, PromptText
from crucible_api.http.posted import completions_of, dataset_of, wordings_of
from crucible_infra.artifacts import ArtifactStore, open_store
from crucible_infra.errors import ArtifactMissing, FormatError, InvalidInput
from crucible_tasks.challenge import RepositoryTests
from crucible_tasks.challenges import create, encode
from crucible_tasks.completion import Form

HERE = str(Path(__file__).parent)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path / "artifacts"))


@pytest.mark.parametrize(
    "spec",
    [
        f"replay:{__file__}",
        "replay:answers.jsonl",
        f"hf:{HERE}",
        "hf:./weights",
        "hf:~/weights",
        "hf:../weights",
        f"hf:org/model+{HERE}",
        f"nano:{HERE}",
        f"nano+{HERE}",
        f"hf:{HERE}?style=chat",
    ],
)
def test_a_spec_that_names_a_file_is_refused(spec: str) -> None:
    with pytest.raises(InvalidInput, match="names a file of the server's host"):
        check_model(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "nano",
        "reference",
        "ollama:qwen2.5-coder:1.5b",
        "openai:localhost:8000/v1#m",
        "hf:Qwen/Qwen2.5-Coder-0.5B",
        f"hf:Qwen/Q+artifact:{'0' * 64}",
        f"nano+artifact:{'0' * 64}",
        "my-model",
    ],
)
def test_models_that_are_no_files_are_allowed(spec: str) -> None:
    check_model(spec)


def test_weights_to_train_are_no_directory_of_the_server() -> None:
    check_weights("Qwen/Qwen2.5-Coder-0.5B")
    check_weights(f"artifact:{'0' * 64}")
    with pytest.raises(InvalidInput, match="names a directory"):
        check_weights(HERE)


def test_a_dataset_has_a_known_name_or_was_put(store: ArtifactStore) -> None:
    mine = scripted_run.dataset(4)
    digest = store.put(encode(mine))
    assert dataset_of(f"artifact:{digest}", None, store) == mine
    assert len(dataset_of(f"artifact:{digest}", 2, store).challenges) == 2
    assert dataset_of("starter", 3, store).name == "starter"
    with pytest.raises(InvalidInput, match="no dataset is called"):
        dataset_of(__file__, None, store)
    with pytest.raises(ArtifactMissing):
        dataset_of(f"artifact:{'0' * 64}", None, store)
    with pytest.raises(FormatError, match="cannot be read"):
        dataset_of(f"artifact:{store.put(b'nonsense')}", None, store)


def test_packages_of_another_host_are_this_hosts_own(store: ArtifactStore) -> None:
    challenge = replace(
        scripted_run.dataset(1).challenges[0],
        tests=RepositoryTests("0" * 64, "m.py", "m", "f", 1, 2, ("t::t",), ("/home/them/.ssh",)),
    )
    digest = store.put(encode(create("private", "own", [challenge])))
    tests = dataset_of(f"artifact:{digest}", None, store).challenges[0].tests
    assert isinstance(tests, RepositoryTests)
    (package,) = tests.packages
    assert package != "/home/them/.ssh"
    assert (Path(package) / "_pytest").is_dir()


def test_what_would_unpack_to_too_much_is_never_unpacked(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posted, "MAX_READ", 2**20)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join((*(packer.compress(bytes(2**20)) for _ in range(8)), packer.flush()))
    with pytest.raises(InvalidInput, match="when it is unpacked"):
        dataset_of(f"artifact:{store.put(bomb)}", None, store)
    with pytest.raises(InvalidInput, match="has more than 1 MiB"):
        dataset_of(f"artifact:{store.put(bytes(2**20 + 1))}", None, store)
    # a file of gzip may have several members, and only the last one be too much
    behind = store.put(gzip.compress(b"{}\n") + bomb)
    with pytest.raises(InvalidInput, match="when it is unpacked"):
        completions_of(EvaluationForm(artifact=behind), store)


def test_samples_are_rows_or_a_file_that_was_put(store: ArtifactStore) -> None:
    rows = ({"task_id": "T/0", "solution": "\ud800"}, {"task_id": 1, "completion": "x"})
    found = completions_of(EvaluationForm(rows=rows), store)
    assert [(one.task_id, one.form, one.line) for one in found] == [
        ("T/0", Form.SOLUTION, 1),
        ("1", Form.COMPLETION, 2),
    ]
    assert found[0].text == "\ud800"
    file = gzip.compress(b"\n".join(json.dumps(row).encode() for row in rows))
    assert completions_of(EvaluationForm(artifact=store.put(file)), store) == found


def test_a_mistake_in_samples_is_told_by_their_own_name(store: ArtifactStore) -> None:
    form = EvaluationForm(source="mine.jsonl", rows=({"task_id": "T/0"},))
    with pytest.raises(FormatError, match=r"^mine\.jsonl:1: none of solution"):
        completions_of(form, store)
    for wrong in (EvaluationForm(), EvaluationForm(rows=({},), artifact="0" * 64)):
        with pytest.raises(InvalidInput, match="either artifact or rows"):
            completions_of(wrong, store)


def test_wordings_are_texts_each_once() -> None:
    mine = PromptText("mine.txt", "Do: {request}")
    assert wordings_of(BenchmarkForm()) == [None]
    (found,) = wordings_of(BenchmarkForm(prompts=(mine, replace(mine, path="again.txt"))))
    assert found is not None
    assert found.label.startswith("mine@")
    assert len(wordings_of(BenchmarkForm(prompts=(mine,), with_default_prompt=True))) == 2
    with pytest.raises(FormatError, match="does not hold"):
        wordings_of(BenchmarkForm(prompts=(PromptText("p", "none"),)))
    with pytest.raises(InvalidInput, match="cannot be shown"):
        wordings_of(BenchmarkForm(prompts=(PromptText("p\0", "{request}"),)))
