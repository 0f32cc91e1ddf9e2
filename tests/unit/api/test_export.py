from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scripted_run
from crucible_api.samples import read_samples
from crucible_infra.database import open_database
from crucible_infra.errors import FormatError, StorageError
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.planning import ImportedCompletion
from crucible_workers.models.replay import open_replay
from model_requests import samples
from scripted_run import Workshop

PROMPT = 'def f0():\n    """Answer."""\n'


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _exported(workshop: Workshop, tmp_path: Path, form: Form, text: str) -> Path:
    run_id = workshop.runs.plan_evaluation(
        scripted_run.dataset(), [ImportedCompletion("T/0", form, text, 1)], (1,), None, "s.jsonl"
    )
    workshop.runs.start(run_id)
    workshop.finish()
    workshop.runs.export(run_id, tmp_path / "out")
    return tmp_path / "out"


def test_a_finished_run_becomes_five_files(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.begin()
    workshop.finish()
    paths = workshop.runs.export(run_id, tmp_path / "new" / "out")
    assert [path.name for path in paths] == [
        "manifest.json",
        "completions.jsonl",
        "samples.jsonl",
        "samples-evalplus.jsonl",
        "verdicts.jsonl",
    ]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(
        path.name for path in paths
    )
    assert [len(_rows(path)) for path in paths[1:]] == [12, 12, 12, 12]
    manifest = json.loads(paths[0].read_text())
    assert (manifest["run"], manifest["state"], manifest["coverage"]) == (run_id, "finished", 1.0)
    assert manifest["scores"][0]["k"] == 1
    assert manifest["isolation"] == "namespaces"
    assert {row["isolation"] for row in _rows(paths[-1])} == {"namespaces"}


def test_what_was_exported_can_be_evaluated(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.begin()
    workshop.finish()
    _, _, samples, solutions, _ = workshop.runs.export(run_id, tmp_path / "out")
    assert {one.form for one in read_samples(samples)} == {Form.COMPLETION}
    assert {one.form for one in read_samples(solutions)} == {Form.SOLUTION}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form.COMPLETION, "    return 1\n"),
        (Form.CONTINUATION, "    return 1\n\n\nprint(f0())\n"),
        (Form.SOLUTION, "def f0():\n    return 1\n"),
        (Form.RESPONSE, "Sure:\n```python\ndef f0():\n    return 1\n```\n"),
    ],
)
def test_every_form_becomes_samples_that_run(
    workshop: Workshop, tmp_path: Path, form: Form, text: str
) -> None:
    directory = _exported(workshop, tmp_path, form, text)
    (sample,) = _rows(directory / "samples.jsonl")
    (solution,) = _rows(directory / "samples-evalplus.jsonl")
    for program in (PROMPT + sample["completion"], solution["solution"]):
        names: dict[str, Any] = {}
        exec(program, names)
        assert names["f0"]() == 1
    assert _rows(directory / "completions.jsonl")[0][form] == text
    (again,) = read_samples(directory / "completions.jsonl")
    assert (again.task_id, again.form, again.text) == ("T/0", form, text)


def test_a_text_that_was_cut_is_read_back_as_such(workshop: Workshop, tmp_path: Path) -> None:
    row = {"task_id": "T/0", "continuation": "    return 1\n    x = (", "finish": "length"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    (sample,) = read_samples(tmp_path / "in.jsonl")
    run_id = workshop.runs.plan_evaluation(scripted_run.dataset(), [sample], (1,), None, "in")
    workshop.runs.start(run_id)
    workshop.finish()
    workshop.runs.export(run_id, tmp_path / "out")
    (exported,) = _rows(tmp_path / "out" / "completions.jsonl")
    assert {name: exported[name] for name in row} == row
    assert open_replay(str(tmp_path / "out" / "completions.jsonl")).sample(samples(0)) == (
        Completion(0, Form.CONTINUATION, sample.text, finish=Finish.LENGTH),
    )


def test_an_unknown_finish_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"task_id": "T/0", "solution": "x", "finish": "late"}\n')
    with pytest.raises(FormatError, match=r"in\.jsonl:1: finish is none of stop, length, other"):
        read_samples(tmp_path / "in.jsonl")


def test_odd_characters_survive(workshop: Workshop, tmp_path: Path) -> None:
    text = "\x00\ud800 no code"
    directory = _exported(workshop, tmp_path, Form.RESPONSE, text)
    assert _rows(directory / "completions.jsonl")[0]["response"] == text


def test_a_score_that_cannot_be_given_is_null(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    manifest, *_ = workshop.runs.export(run_id, tmp_path / "out")
    first = json.loads(manifest.read_text())["scores"][0]
    assert first["value"] is None
    assert "no completion" in first["reason"]


def test_a_place_that_cannot_be_written_is_named(workshop: Workshop, tmp_path: Path) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        workshop.runs.export(run_id, tmp_path / "file")
