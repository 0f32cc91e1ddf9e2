"""The training process on a tiny model: what it leaves, and that no end of it loses anything."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import tiny_model
from crucible_infra.errors import InvalidInput
from crucible_tasks.corpus.corpus import Pair, Part
from crucible_tasks.fine_tuning import EXIT_GANG_BROKEN, EXIT_STOPPED
from crucible_tasks.recipe import Method
from hosts import network
from services import ServiceMissing, free_port
from trainer_host import NO_DISK, Place, SmallDisk, trainer_host
from training_bench import RECIPE, Bench

PAIR = Pair("f0.py", "Return nothing.", "return None\n" * 20, Part.TRAIN)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("training")
    tiny_model.write_tiny_model(directory / "base")
    (directory / "corpus.jsonl").write_bytes(tiny_model.tiny_corpus((PAIR,)))
    with trainer_host() as host:
        yield Bench(host, directory)


@pytest.fixture
def places() -> Iterator[list[Place]]:
    """Two hosts that share no network card, or this one twice where that cannot be made."""
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(network("first", "second"))
        except ServiceMissing:
            yield [Place("127.0.0.1")] * 2
        else:
            yield [Place(host.address, host.namespace) for host in made.hosts.values()]


@pytest.fixture(scope="module")
def whole(bench: Bench) -> str:
    """The name of a job that nothing disturbed."""
    assert bench.host.run(bench.job("whole")) == 0, bench.said("whole")
    return "whole"


def test_a_training_gains_and_its_record_says_what(bench: Bench, whole: str) -> None:
    record = bench.record(whole)
    steps = bench.steps(whole)

    assert list(steps) == [*range(13)]
    assert steps[12].loss is not None
    assert steps[1].loss is not None
    assert steps[12].loss < steps[1].loss - 0.5
    assert record.held_out_loss == steps[record.kept_step].held_out_loss
    assert record.held_out_loss_before == steps[0].held_out_loss
    files = record.held_out_files
    assert len(files) == 6
    assert sum(one.loss for one in files) / sum(one.tokens for one in files) == pytest.approx(
        record.held_out_loss
    )
    assert sum(one.loss_before for one in files) > sum(one.loss for one in files)
    assert record.perplexity is not None
    assert record.perplexity_before is not None
    assert record.perplexity == pytest.approx(math.exp(record.held_out_loss or 0))
    assert record.perplexity < record.perplexity_before / 2
    assert (record.steps, record.kept_step, record.stopped_early) == (12, 12, False)
    assert record.tokens == steps[12].tokens
    assert record.corpus_digest == hashlib.sha256(bench.corpus.read_bytes()).hexdigest()
    assert record.recipe == RECIPE
    assert any("as StarCoder2, Granite write it" in note for note in record.notes)


def test_it_uses_about_the_memory_that_was_foretold(bench: Bench, whole: str) -> None:
    _check_memory(bench, whole)


def test_many_long_rows_use_about_the_memory_that_was_foretold(bench: Bench) -> None:
    # each layer keeps a mask of its own, a number for each pair of a row's tokens
    many = replace(RECIPE, max_steps=1, batch=24, micro_batch=24, sequence_tokens=512)
    assert bench.host.run(bench.job("many", many)) == 0, bench.said("many")

    assert _check_memory(bench, "many") > 0.7


def _check_memory(bench: Bench, name: str) -> float:
    """GiB that were used."""
    (note,) = [one for one in bench.record(name).notes if "rows at once" in one]
    foretold = float(note.partition("about ")[2].partition(" GiB")[0])
    used = max(step.memory_bytes or 0 for step in bench.steps(name).values()) / 2**30
    assert used == pytest.approx(foretold, rel=0.15)
    return used


def test_the_held_out_loss_is_what_the_plain_way_finds(bench: Bench, whole: str) -> None:
    record = bench.record(whole)
    ways = (str(bench.base), str(bench.adapter(whole)), str(bench.corpus))

    after = bench.host.call("held_out_loss", *ways)
    before = bench.host.call("held_out_loss", ways[0], "", ways[2])

    assert record.held_out_loss == pytest.approx(after, abs=2e-6)
    assert record.held_out_loss_before == pytest.approx(before, abs=2e-6)


def test_stopped_killed_and_damaged_it_comes_to_the_same_losses(bench: Bench, whole: str) -> None:
    job = bench.job("disturbed")
    pid = bench.host.start(job)
    bench.wait_for("disturbed", 2)
    os.kill(pid, signal.SIGTERM)
    assert bench.host.wait(pid) == EXIT_STOPPED

    pid = bench.host.start(job)
    bench.wait_for("disturbed", 9)
    os.kill(pid, signal.SIGKILL)
    assert bench.host.wait(pid) == -signal.SIGKILL

    _damage(bench.output("disturbed") / "checkpoints")
    with (bench.output("disturbed") / "progress.jsonl").open("ab") as file:
        file.write(b'{"step":11,"st')
    assert bench.host.run(job) == 0, bench.said("disturbed")

    assert bench.losses("disturbed") == bench.losses(whole)
    adapters = [bench.adapter(name) / "adapter_model.safetensors" for name in ("disturbed", whole)]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def test_a_finished_job_is_not_done_again(bench: Bench, whole: str) -> None:
    before = bench.adapter(whole).stat().st_mtime_ns

    assert bench.host.run(bench.directory / f"{whole}.json") == 0
    assert bench.adapter(whole).stat().st_mtime_ns == before


@pytest.mark.timeout(300)
def test_a_gang_comes_to_the_losses_of_one_whoever_of_it_dies(
    bench: Bench, whole: str, places: list[Place]
) -> None:
    pids = _start_gang(bench, places)
    bench.wait_for("gang-0", 5)
    os.kill(pids[1], signal.SIGKILL)
    assert [bench.host.wait(pid) for pid in pids] == [EXIT_GANG_BROKEN, -signal.SIGKILL]
    assert bench.last_word("gang-0").startswith("error: Another member of the gang is gone")

    pids = _start_gang(bench, places)
    bench.wait_for("gang-0", 9)
    os.kill(pids[0], signal.SIGKILL)
    assert [bench.host.wait(pid) for pid in pids] == [-signal.SIGKILL, EXIT_GANG_BROKEN]

    # the first host is another one now: the second holds what it was given
    assert any((bench.output("gang-1") / "checkpoints").glob("checkpoint-*"))
    shutil.rmtree(bench.output("gang-0") / "checkpoints")
    pids = _start_gang(bench, places)
    assert [bench.host.wait(pid) for pid in pids] == [0, 0], bench.said("gang-0")

    alone, together = bench.steps(whole), bench.steps("gang-0")
    assert list(together) == list(alone)
    for number in range(1, 13):
        assert together[number].loss == pytest.approx(alone[number].loss, rel=1e-5)
        assert together[number].tokens == alone[number].tokens
    assert together[12].held_out_loss == pytest.approx(alone[12].held_out_loss, rel=1e-5)
    assert not (bench.output("gang-1") / "progress.jsonl").exists()


def test_packed_pieces_do_not_see_each_other(bench: Bench, whole: str) -> None:
    """Alone in its row a file has nothing else to see: the loss is the same only then."""
    recipe = replace(RECIPE, packing="off", max_steps=1, activation_checkpointing="on")
    assert bench.host.run(bench.job("unpacked", recipe)) == 0, bench.said("unpacked")

    packed, alone = bench.steps(whole)[0], bench.steps("unpacked")[0]
    assert packed.held_out_loss == pytest.approx(alone.held_out_loss, abs=1e-6)


def test_it_stops_when_the_held_out_files_gain_no_more(bench: Bench) -> None:
    # all weights at a wild rate: soon it only gets worse
    recipe = replace(
        RECIPE, method=Method.FULL, learning_rate=0.3, eval_every=1, patience=2, max_steps=30
    )
    assert bench.host.run(bench.job("impatient", recipe)) == 0, bench.said("impatient")

    record, steps = bench.record("impatient"), bench.steps("impatient")
    losses = {number: step.held_out_loss for number, step in steps.items() if number}
    assert record.stopped_early
    assert record.kept_step == min(losses, key=lambda number: losses[number] or 0)
    assert record.steps == record.kept_step + 2
    assert record.held_out_loss == losses[record.kept_step]


@pytest.mark.parametrize("method", [Method.DORA, Method.FULL, Method.QLORA])
def test_every_method_trains(bench: Bench, method: Method) -> None:
    if method is Method.QLORA and find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    recipe = replace(RECIPE, method=method, max_steps=3, eval_every=3, checkpoint_every=3)
    assert bench.host.run(bench.job(method, recipe)) == 0, bench.said(method)

    record = bench.record(method)
    assert record.held_out_loss is not None
    assert record.held_out_loss_before is not None
    assert record.held_out_loss < record.held_out_loss_before
    if method is not Method.QLORA:
        found = bench.host.call(
            "held_out_loss", str(bench.base), str(bench.adapter(method)), str(bench.corpus)
        )
        assert record.held_out_loss == pytest.approx(found, abs=2e-6)


@pytest.mark.parametrize(
    ("name", "change", "code", "words"),
    [
        ("cramped", {"memory_gib": 0.01}, 1, ("needs 0.", "0.01 GiB are free", "micro_batch: 1")),
        ("diverging", {"learning_rate": 1e30}, 1, ("no longer a number", "learning_rate")),
        ("short", {"sequence_tokens": 64}, 2, ("fit no row of 64", "sequence_tokens")),
        ("uneven", {"micro_batch": 3}, 2, ("micro_batch 3 does not divide",)),
        ("sharded", {"sharding": "fsdp"}, 2, ("fsdp needs GPUs", "sharding: ddp")),
    ],
)
def test_what_cannot_be_done_is_one_line(
    bench: Bench, name: str, change: dict[str, object], code: int, words: tuple[str, ...]
) -> None:
    recipe = replace(RECIPE, **change)  # type: ignore[arg-type] -- any of its keys
    assert bench.host.run(bench.job(name, recipe)) == code

    line = bench.last_word(name)
    assert line.startswith("error: ")
    assert all(word in line for word in words), line
    assert not bench.adapter(name).exists()


def test_a_disk_that_is_full_at_a_checkpoint_is_one_line(bench: Bench) -> None:
    checkpoints = bench.output("crowded") / "checkpoints"
    code = bench.host.run(bench.job("crowded"), SmallDisk(checkpoints, 150))

    if code == NO_DISK:
        pytest.skip("no small disk can be mounted here")
    assert code == 1
    assert bench.last_word("crowded").startswith("error: the checkpoint could not be written")
    assert not bench.adapter("crowded").exists()


def test_what_is_no_model_is_told_apart(bench: Bench) -> None:
    empty = bench.directory / "empty"
    empty.mkdir()
    cut = bench.directory / "cut"
    shutil.copytree(bench.base, cut)
    content = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(content[: len(content) // 2])
    nowhere = bench.directory / "nowhere"

    for name, base in (("empty", empty), ("cut", cut), ("nowhere", nowhere)):
        assert bench.host.run(bench.job(f"base-{name}", base=base)) == 2
        line = bench.last_word(f"base-{name}")
        assert line.startswith(f"error: {base}")
    assert "is no directory on this host" in bench.last_word("base-nowhere")


def test_fill_in_the_middle_is_refused_where_it_cannot_be(bench: Bench) -> None:
    base = tiny_model.write_tiny_model(bench.directory / "plain", ("<|endoftext|>",))

    assert bench.host.run(bench.job("asked", replace(RECIPE, fim_rate=0.5), base)) == 2
    assert "no tokens for fill-in-the-middle" in bench.last_word("asked")
    assert bench.host.run(bench.job("open", replace(RECIPE, max_steps=1), base)) == 0
    assert "note: next-token only" in bench.said("open")


def test_checkpoints_of_another_job_are_not_taken(bench: Bench, whole: str) -> None:
    shutil.copytree(bench.output(whole) / "checkpoints", bench.output("other") / "checkpoints")

    assert bench.host.run(bench.job("other", replace(RECIPE, seed=1))) == 2
    assert "checkpoints of another job" in bench.last_word("other")


def test_what_is_no_job_is_refused_by_the_real_command(tmp_path: Path) -> None:
    process = tiny_model.start_trainer(tmp_path / "none.json")
    output, errors = process.communicate(timeout=60)

    assert process.returncode == InvalidInput.exit_code
    assert errors == f"error: {tmp_path / 'none.json'}: No such file or directory\n"
    assert output == ""


def test_a_long_file_is_cut_at_line_ends(bench: Bench) -> None:
    text = "".join(f"value_{number} = {number}\n" for number in range(200)) + "x" * 500
    found = bench.host.call("pieces", str(bench.base), text, 100)

    assert "".join(piece for piece, _ in found) == text
    assert all(size <= 104 for _, size in found)
    assert sum(piece.endswith("\n") for piece, _ in found) > len(found) / 2


def test_a_quoted_control_token_stays_text(bench: Bench) -> None:
    ids = bench.host.call("ids_of", str(bench.base), "x = '<|endoftext|>'")

    assert 0 not in ids
    assert len(ids) > 5


def test_the_need_of_a_large_model_is_known_without_loading_it(bench: Bench) -> None:
    lora = bench.host.call("seven_billion", "lora")

    # 4 for frozen weights, 6 for an adapter's, attention beside: worked out by hand
    assert lora["gigaflops"] == pytest.approx(31.0, abs=0.05)
    assert lora["weights"] == pytest.approx(14.4, abs=0.1)
    assert lora["optimizer"] < 0.5
    # a mask of 4096 x 4096 numbers is kept for each of 28 layers
    assert 20 < lora["row"] < 30
    assert lora["row_checkpointed"] < lora["row"] / 8


def test_a_corpus_too_small_for_its_steps_is_cautioned_with_the_figures(bench: Bench) -> None:
    def said(rows: int, max_steps: int | None) -> list[str]:
        found: list[str] = bench.host.call("cautions", rows, max_steps)
        return found

    (many,), (few,) = said(20, 100), said(4, None)

    assert many.startswith("little to train on: 20 rows (2,000 tokens) come 20 times each in 100")
    assert many.endswith("learned by heart; add files, or set max_steps: 50")
    assert few.startswith("little to train on: 4 rows (400 tokens) make 3 steps of 4, which change")
    assert said(20, 50) == said(20, 3) == said(20, None) == []


def _start_gang(bench: Bench, places: list[Place]) -> list[int]:
    port = free_port()
    return [
        bench.host.start(
            bench.job(f"gang-{rank}"),
            place=place,
            gang=(rank, len(places), places[0].address, port),
        )
        for rank, place in enumerate(places)
    ]


def _damage(checkpoints: Path) -> None:
    """What a kill in the middle of a checkpoint leaves, and one in the middle of its removal."""
    last = max(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    unfinished, half_removed = (checkpoints / f"checkpoint-{number}" for number in (10, 11))
    for path in (unfinished, half_removed):
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(last, path)
    (unfinished / "whole.json").unlink()
    (half_removed / "optimizer.pt").write_bytes(b"")
