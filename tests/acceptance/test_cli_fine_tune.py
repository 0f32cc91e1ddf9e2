"""`crucible fine-tune` with the real trainer, on a real tree: trained, registered, proved, used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commandline import Crucible, at_home
from crucible_api.fine_tunes import FineTunes
from crucible_infra import settings
from crucible_infra.database import open_database
from crucible_tasks import demo_repository
from crucible_tasks.challenges import open_dataset, select, write_rows

#: the first test waits for the training
pytestmark = pytest.mark.timeout(400)

#: few and short steps: enough to be seen
RECIPE = """\
learning_rate: 0.0015
max_steps: 12
batch: 8
sequence_tokens: 256
eval_every: 4
threads: 1
"""


#: other names of what will be called my-orchard
CONFIGURATION = """\
[models.fruit]
spec = "my-orchard"
[models.basket]
kind = "router"
policy = "quality"
members = [{role = "fast", spec = "nano"}, {role = "quality", spec = "fruit"}]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree, its private benchmark, a few challenges from elsewhere, a recipe."""
    directory = tmp_path_factory.mktemp("fine-tune")
    demo_repository.write(directory / "orchard")
    private = select(demo_repository.private_challenges(), limit=6)
    (directory / "private.jsonl").write_bytes(write_rows(private))
    elsewhere = select(open_dataset("starter"), limit=4)
    (directory / "elsewhere.jsonl").write_bytes(write_rows(elsewhere))
    (directory / "recipe.yaml").write_text(RECIPE)
    (directory / "home").mkdir()
    (directory / "home/config.toml").write_text(CONFIGURATION)
    return directory


@pytest.fixture(scope="module")
def mine(place: Path) -> Crucible:
    """One home for all, with one fine-tune in it."""
    crucible = at_home(place / "home")
    crucible.environment["OMP_NUM_THREADS"] = "1"
    return crucible


@pytest.fixture(scope="module")
def told(place: Path, mine: Crucible) -> dict[str, object]:
    """What the command says of it."""
    words = ["--model", "nano", "--directory", str(place / "orchard"), "--proof-n", "1"]
    words += ["--new-model-name", "my-orchard", "--recipe", str(place / "recipe.yaml")]
    words += ["--private", str(place / "private.jsonl")]
    words += ["--proof-dataset", str(place / "elsewhere.jsonl")]
    said = mine("fine-tune", *words, "--json")
    assert said.code == 0, said.err
    assert "step 12/12" in said.err
    found: dict[str, object] = json.loads(said.out)
    return found


def test_it_trains_and_says_in_words_what_it_gained(
    told: dict[str, object], mine: Crucible
) -> None:
    shown = json.loads(mine("fine-tunes", "show", "my-orchard", "--steps", "--json").out)
    losses = [step["loss"] for step in shown["steps"] if step["step"]]
    record = told["record"]
    assert isinstance(record, dict)

    assert told["state"] == "finished"
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    assert record["perplexity"] < 0.9 * record["perplexity_before"]
    proof = told["proof"]
    assert isinstance(proof, list)
    assert [part["role"] for part in proof] == ["private", "elsewhere"]
    assert all(part["base"]["challenges"] == part["new"]["challenges"] for part in proof)
    answer = str(told["answer"])
    for words in ("files it has not seen", "better on this codebase?", "worse elsewhere"):
        assert words in answer


def test_the_new_name_answers_wherever_a_model_is_named(
    told: dict[str, object], place: Path, mine: Crucible
) -> None:
    said = mine(
        *("benchmark", "--model", "my-orchard", "--json"),
        *("--dataset", str(place / "elsewhere.jsonl"), "--limit", "2"),
    )
    listed = json.loads(mine("models", "--json").out)

    assert said.code == 0, said.err
    run = json.loads(said.out)
    assert run["coverage"] == 1.0
    assert str(told["artifact"]) in run["model"]
    assert "my-orchard (toy model, synthetic data) on elsewhere: 2 completions" in said.err
    assert run["registered"]["name"] == "my-orchard"
    assert run["registered"]["sentence"] == "its corpus shares 0 of 2 challenges with elsewhere"
    assert listed[0]["spec"] == "my-orchard"


def test_an_alias_a_router_and_a_comparison_find_it_by_its_name(
    told: dict[str, object], mine: Crucible
) -> None:
    asked = mine("-m", "fruit", "def peel(")
    routed = mine("ask", "-m", "basket", "-u", "def peel(")
    compared = mine("compare", "nano", "fruit", "--json")
    named = mine("compare", "nano", "my-orchard", "--json")

    assert told
    assert asked.code == 0, asked.err
    assert "my-orchard is the model of a fine-tune here" in asked.err
    assert routed.err.splitlines()[-1].endswith("; my-orchard")
    assert compared.code == 0, compared.err
    assert named.out == compared.out


def _planned(crucible: Crucible) -> list[str]:
    """Every fine-tune there is, by way of the database: a command takes a second."""
    database = open_database(settings.read(crucible.environment).database_url)
    found = [info.row.id for info in FineTunes(database).newest(100)]
    database.close()
    return found


REFUSED = {
    "a name that is taken": (["--model", "nano"], "a model called my-orchard already"),
    "no such model": (["--model", "my-own", "--new-model-name", "x"], "--base-weights"),
    "not a model": (
        ["--model", "nano", "--base-weights", "{orchard}", "--new-model-name", "x"],
        "is not a model: it has no config.json",
    ),
    "an empty tree": (
        ["--model", "nano", "--directory", "{home}", "--new-model-name", "x", "--no-proof"],
        "nothing is left to train on",
    ),
    "a name that means something": (["--model", "nano", "--new-model-name", "nano"], "be called"),
    "a router's name": (["--model", "nano", "--new-model-name", "hybrid"], "crucible's own"),
    "a name of the configuration": (
        ["--model", "nano", "--new-model-name", "fruit"],
        "a name of your configuration",
    ),
    "hosts that are not there": (
        ["--model", "nano", "--hosts", "2"],
        "--hosts 2 needs a cluster: without CRUCIBLE_BROKER_URL one process trains",
    ),
    "nobody to leave it to": (["--model", "nano", "--detach"], "--detach needs a cluster"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_refused_in_one_line(
    case: str, told: dict[str, object], place: Path, mine: Crucible
) -> None:
    assert told
    words, problem = REFUSED[case]
    (place / "empty").mkdir(exist_ok=True)
    places = {"orchard": place / "orchard", "home": place / "empty"}
    before = _planned(mine)
    said = mine(
        *("fine-tune", "--directory", str(place / "orchard"), "--new-model-name", "my-orchard"),
        *(word.format(**places) for word in words),
    )

    assert said.code == 2
    assert problem in said.err
    assert sum(line.startswith("error: ") for line in said.err.splitlines()) == 1
    assert _planned(mine) == before


def test_weights_that_are_not_here_take_no_name(
    told: dict[str, object], place: Path, mine: Crucible
) -> None:
    before = _planned(mine)
    words = ["--model", "codellama:7b", "--directory", str(place / "orchard")]
    said = mine("fine-tune", *words, "--new-model-name", "x")

    assert told
    assert said.code == 1
    assert "error: codellama/CodeLlama-7b-Instruct-hf is neither" in said.err
    assert "corpus" not in said.err
    assert "documents" not in said.err
    assert _planned(mine) == before


def test_one_that_is_removed_leaves_its_name_free_and_its_runs_readable(
    told: dict[str, object], mine: Crucible
) -> None:
    """The last of this module: the others need the model."""
    asked = mine("fine-tunes", "remove", "my-orchard")
    assert asked.code == 2
    assert "add --yes" in asked.err
    said = mine("fine-tunes", "remove", str(told["fine_tune"]), "--yes", "--json")
    assert said.code == 0, said.err
    listed, runs = mine("models"), mine("runs", "list")
    shown = mine("runs", "show", "latest")

    assert told["artifact"] in json.loads(said.out)["artifacts_removed"]
    assert "my-orchard" not in listed.out
    assert "my-orchard (toy model" in runs.out
    assert "+artifact:" not in runs.out
    assert "its corpus shares 0 of" in shown.out
