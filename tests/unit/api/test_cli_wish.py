"""What a benchmark does follows from the flags, then the file, then the defaults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.core import ParameterSource

import scripted_run
from crucible_api import matrix, model_choice
from crucible_api.cli.options import Gate
from crucible_api.cli.wish import check, read_wish
from crucible_api.model_choice import Choice, Tell
from crucible_api.wish import Wish
from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.generation import ModelIdentity

WISH = Wish(
    models=(),
    datasets=(),
    temperatures=(),
    styles=(),
    ns=(1,),
    ks=(),
    seed=0,
    top_p=0.95,
    max_tokens=1024,
    limit=None,
    cpu_seconds=None,
    memory_mib=None,
    priority=0,
)


def _read(directory: Path, text: str, *flags: str) -> Wish:
    path = directory / "s.yaml"
    path.write_text(text)
    context = click.Context(click.Command("benchmark"))
    names = [name for name in Wish.__slots__ if name not in ("file", "of_file")]
    for name in names:
        is_given = name in flags
        source = ParameterSource.COMMANDLINE if is_given else ParameterSource.DEFAULT
        context.set_parameter_source(name, source)
    return read_wish(context, str(path), {name: getattr(WISH, name) for name in names})


def test_a_flag_overrides_the_file_and_the_file_the_default(tmp_path: Path) -> None:
    wish = _read(tmp_path, "n: [2, 5]\nseed: 9\npriority: 4\nk: 2", "seed")
    assert (wish.ns, wish.seed, wish.priority, wish.ks) == ((2, 5), 0, 4, (2,))
    assert wish.of_file == {"ns", "priority", "ks"}


def test_a_mistake_is_blamed_on_the_file_only_where_the_file_decided(tmp_path: Path) -> None:
    wish = _read(tmp_path, "n: 1\nk: [1, 5]")
    with pytest.raises(FormatError, match=r"s\.yaml:2: k: pass@5 needs at least 5"):
        wish.check()
    with pytest.raises(InvalidInput, match=r"^pass@5 needs"):
        replace(wish, of_file=frozenset()).check()
    wish = _read(tmp_path, "datasets:\n- a\n- b")
    with (
        pytest.raises(FormatError, match=r"s\.yaml:3: datasets: no"),
        wish.blamed("datasets", "b"),
    ):
        raise InvalidInput("no")


def test_every_run_reports_the_ks_its_n_allows() -> None:
    wish = replace(WISH, ns=(1, 20))
    assert [wish.ks_for(n) for n in wish.ns] == [(1,), (1, 10)]
    wish = replace(wish, ks=(1, 20))
    assert [wish.ks_for(n) for n in wish.ns] == [(1,), (1, 20)]
    with pytest.raises(InvalidInput, match="with n = 1 there is no pass@k"):
        replace(wish, ks=(20,)).check()
    with pytest.raises(InvalidInput, match="pass@20, which is not computed"):
        check(wish, Gate(20, 0.5))


def test_the_matrix_has_every_combination_model_by_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def choose(specs: tuple[str, ...], style: str | None, tell: Tell) -> Choice:
        del tell
        found = tuple(replace(scripted_run.MODEL, spec=f"{spec}?{style}") for spec in specs)
        return Choice(found)

    monkeypatch.setattr(model_choice, "choose", choose)
    wish = replace(
        WISH,
        models=("a", "b"),
        styles=("base", "chat"),
        ns=(1, 2),
        temperatures=(0.2, 0.2, 0.8),
        priority=3,
    )
    found = matrix.plan_matrix(wish, [scripted_run.dataset()], [None], print).plans
    assert len(found) == 2 * 2 * 2 * 2
    assert [plan.model.spec for plan in found[::4]] == ["a?base", "b?base", "a?chat", "b?chat"]
    assert [(plan.n, plan.sampling.temperature) for plan in found[:4]] == [
        (n, temperature) for n in (1, 2) for temperature in (0.2, 0.8)
    ]
    assert {(plan.sweep_id, plan.priority) for plan in found} == {(found[0].sweep_id, 3)}
    assert found[0].sweep_id is not None
    (alone,) = matrix.plan_matrix(
        replace(WISH, models=("a",)), [scripted_run.dataset()], [None], print
    ).plans
    assert alone.sweep_id is None
    many = replace(WISH, models=("a",), temperatures=tuple(t / 1000 for t in range(1001)))
    with pytest.raises(InvalidInput, match="has 1001 runs; at most 1000"):
        matrix.plan_matrix(many, [scripted_run.dataset()], [None], print)


def test_where_nothing_answers_the_toy_has_settings_of_its_own_that_flags_override(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = replace(scripted_run.MODEL, spec="nano", server="built in", caution="toy")
    chosen = Choice((scripted_run.MODEL,), toy)
    monkeypatch.setattr(model_choice, "choose", lambda *_: chosen)

    def planned(wish: Wish) -> list[tuple[str, str, int, float, int]]:
        datasets = matrix.open_datasets(wish)
        return [
            (
                *(plan.model.spec, plan.dataset.name, plan.n, plan.sampling.temperature),
                len(plan.dataset.challenges),
            )
            for plan in matrix.plan_matrix(wish, datasets, [None], print).plans
        ]

    unsaid = replace(WISH, ns=(), limit=3)
    reference = scripted_run.MODEL.spec
    assert planned(unsaid) == [
        ("nano", "starter", 10, 1.2, 3),
        (reference, "humaneval", 1, 0.0, 3),
    ]
    said = replace(unsaid, ns=(2,), temperatures=(0.5,), datasets=("humaneval",))
    assert planned(said) == [(name, "humaneval", 2, 0.5, 3) for name in ("nano", reference)]


def _wordings(directory: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    monkeypatch.chdir(directory)
    for name, text in texts.items():
        (directory / f"{name}.txt").write_text(text)


def test_a_wording_is_asked_for_once_whatever_its_file_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _wordings(tmp_path, monkeypatch, a="A {request}", b="B {request}", c="A {request}")
    assert matrix.open_wordings(WISH) == [None]
    prompts = ("a.txt", "default", "b.txt", "./a.txt", "c.txt", "default")
    found = matrix.open_wordings(replace(WISH, prompts=prompts))
    assert [one and one.path for one in found] == ["a.txt", None, "b.txt"]


def test_every_model_that_reads_prompts_is_asked_in_every_wording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _wordings(tmp_path, monkeypatch, a="A {request}")
    live = replace(scripted_run.MODEL, spec="live", server="ollama 0.5.1")
    monkeypatch.setattr(model_choice, "choose", lambda *_: Choice((live, scripted_run.MODEL)))
    wish = replace(WISH, prompts=("default", "a.txt"), temperatures=(0.2, 0.8))
    found = matrix.plan_matrix(
        wish, [scripted_run.dataset()], matrix.open_wordings(wish), print
    ).plans
    assert [
        (plan.model.server, plan.sampling.temperature, plan.wording and plan.wording.name)
        for plan in found
    ] == [
        *(("ollama 0.5.1", t, name) for t in (0.2, 0.8) for name in (None, "a")),
        ("replay", 0.2, None),
        ("replay", 0.8, None),
    ]


def test_a_wording_that_no_base_model_can_continue_is_blamed_on_the_file_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _wordings(tmp_path, monkeypatch, a="{request}\nThanks!")
    wish = _read(tmp_path, "n: 1\nprompts:\n- default\n- a.txt\n")
    live = replace(scripted_run.MODEL, server="ollama 0.5.1")
    wordings = matrix.open_wordings(wish)

    def planned(*models: ModelIdentity) -> int:
        monkeypatch.setattr(model_choice, "choose", lambda *_: Choice(models))
        dataset = scripted_run.dataset()
        return len(matrix.plan_matrix(wish, [dataset], wordings, print).plans)

    with pytest.raises(FormatError, match=r"s\.yaml:4: prompts: a\.txt: text follows") as caught:
        planned(live)
    assert "--style chat" in (caught.value.hint or "")
    assert planned(replace(live, style="chat")) == 2
    assert planned(scripted_run.MODEL) == 1


def test_a_missing_prompt_file_is_blamed_on_the_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _wordings(tmp_path, monkeypatch)
    wish = _read(tmp_path, "prompts: nosuch.txt")
    with pytest.raises(FormatError, match=r"s\.yaml:1: prompts: nosuch\.txt: No such file"):
        matrix.open_wordings(wish)
