"""Datasets by name: the carried one, the fetched ones, and names nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_infra.errors import FormatError, UnknownDataset
from crucible_tasks.challenges import known, names, open_dataset


def test_humaneval_needs_no_network(tmp_path: Path) -> None:
    dataset = open_dataset("humaneval", tmp_path)
    assert (dataset.name, dataset.format, len(dataset.challenges)) == ("humaneval",) * 2 + (164,)
    assert not list(tmp_path.iterdir())


def test_every_fetched_file_is_pinned_and_has_a_place_of_its_own() -> None:
    sources = [known.source_of(name) for name in names() if name not in known.CARRIED]
    assert len({source.file_name for source in sources}) == len(sources) == 26
    for source in sources:
        assert source.url.startswith("https://")
        assert len(bytes.fromhex(source.sha256)) == 32
        assert source.licence


def test_a_published_file_dropped_in_place_opens_by_name(
    tmp_path: Path, datasets_directory: Path
) -> None:
    dropped = tmp_path / known.source_of("humaneval-js").file_name
    dropped.write_bytes((datasets_directory / "humaneval_x_js.jsonl.gz").read_bytes())
    assert len(open_dataset("humaneval-js", tmp_path).challenges) == 164


def test_the_cache_of_the_settings_is_the_default(crucible_home: Path) -> None:
    dropped = crucible_home / "cache" / "datasets" / "multipl-e" / "humaneval-js-reworded.jsonl"
    dropped.parent.mkdir(parents=True)
    dropped.write_text("{}")
    with pytest.raises(FormatError, match="is not the official file's"):
        open_dataset("multipl-e:js")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownDataset, match="'humanevel'") as caught:
        open_dataset("humanevel")
    assert caught.value.exit_code == 2
    assert "did you mean humaneval? known are humaneval, starter, humaneval+, " in str(
        caught.value.hint
    )
    for name in ("multipl-e:klingon", "x" * 5000):
        with pytest.raises(UnknownDataset):
            open_dataset(name)


def test_what_looks_like_a_path_is_a_missing_file() -> None:
    for name in ("none.jsonl", "./humaneval"):
        with pytest.raises(FormatError, match="no such file"):
            open_dataset(name)


def test_a_known_name_wins_over_a_file_and_a_path_over_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(__file__).with_name("data")
    monkeypatch.chdir(tmp_path)
    Path("humaneval").write_bytes((data / "own.jsonl").read_bytes())
    assert open_dataset("humaneval").format == "humaneval"
    assert open_dataset("./humaneval").format == "crucible"
