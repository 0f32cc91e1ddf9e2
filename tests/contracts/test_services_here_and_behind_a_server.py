"""The same answers whether runs and fine-tunes are in this host's database or behind a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crucible_api.fine_tune_service import FineTuneService
from crucible_api.known_datasets import Known
from crucible_api.remote import artifacts as remote_artifacts
from crucible_api.remote.artifacts import RemoteArtifacts
from crucible_api.remote.connection import Server
from crucible_api.remote.fine_tunes import RemoteFineTunes
from crucible_api.remote.runs import RemoteRuns
from crucible_api.run_service import RunService
from crucible_api.stored_fine_tunes import StoredFineTunes
from crucible_api.stored_runs import StoredRuns
from crucible_infra.artifacts import open_store
from crucible_infra.errors import ArtifactMissing, CrucibleError, InvalidInput, NameTaken
from filled_database import ADAPTER, Filled
from served import Served, served


@dataclass(frozen=True, slots=True)
class Sides:
    """Both services over one database, and what is in it."""

    here: StoredRuns
    there: RemoteRuns
    fine_tunes_here: StoredFineTunes
    fine_tunes_there: RemoteFineTunes
    filled: Filled

    def agree(self, ask: Callable[[RunService], Any]) -> Any:
        """What both say, compared as JSON is, in which NaN is itself."""
        return _same(ask(self.here), ask(self.there))

    def agree_on_training(self, ask: Callable[[FineTuneService], Any]) -> Any:
        return _same(ask(self.fine_tunes_here), ask(self.fine_tunes_there))


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    directory = tmp_path_factory.mktemp("served")
    with served(directory) as server, closing(Server(server.url, None)) as connection:
        yield _sides(server, connection)


def _sides(server: Served, connection: Server) -> Sides:
    runs = server.services.runs
    store = RemoteArtifacts(connection)
    return Sides(
        StoredRuns(runs.database, runs.artifacts, runs.send),
        RemoteRuns(connection, store, 1.0),
        StoredFineTunes(runs.database, runs.send),
        RemoteFineTunes(connection, store, 1.0),
        server.filled,
    )


def test_runs_are_listed_and_told_alike(sides: Sides) -> None:
    assert len(sides.agree(lambda runs: runs.list_runs(500))) > 10
    assert len(sides.agree(lambda runs: runs.list_runs(3))) == 3
    filled = sides.filled
    for name in (filled.large[-4:], filled.gappy, filled.router, filled.interrupted, "latest"):
        run_id = sides.agree(lambda runs, name=name: runs.find_run(name)).id
        sides.agree(lambda runs, run_id=run_id: runs.summary(run_id))
        sides.agree(lambda runs, run_id=run_id: runs.progress(run_id))
        sides.agree(lambda runs, run_id=run_id: runs.counts(run_id))


def test_verdicts_come_page_by_page_in_their_order(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_api.remote.connection._LARGEST_PAGE", 10)

    found = sides.agree(lambda runs: runs.verdict_rows(sides.filled.gappy))

    assert len(found) > 2 * 10


def test_what_a_user_means_is_the_same(sides: Sides) -> None:
    filled = sides.filled
    for name in (filled.sweep, filled.sweep[-4:], filled.large, "latest"):
        sides.agree(lambda runs, name=name: runs.select(name))
    sides.agree(lambda runs: runs.list_sweeps(20))
    sides.agree(lambda runs: runs.sweep_summary("latest", 5))
    assert sides.agree(lambda runs: runs.find_pair(filled.large, filled.small)) == (
        filled.large,
        filled.small,
    )


def test_an_export_has_the_same_bytes(sides: Sides, tmp_path: Path) -> None:
    here = sides.here.export(sides.filled.router, tmp_path / "here")
    there = sides.there.export(sides.filled.router, tmp_path / "there")

    assert [path.name for path in there] == [path.name for path in here]
    assert [path.read_bytes() for path in there] == [path.read_bytes() for path in here]
    assert sorted(tmp_path.joinpath("there").iterdir()) == sorted(there)


def test_fine_tunes_are_listed_and_told_alike(sides: Sides) -> None:
    assert len(sides.agree_on_training(lambda tunes: tunes.newest(20))) == 3
    for name in (ADAPTER, sides.filled.fine_tune_failed, "latest"):
        fine_tune_id = sides.agree_on_training(lambda tunes, name=name: tunes.find(name)).row.id
        sides.agree_on_training(lambda tunes, one=fine_tune_id: tunes.info(one))
        steps = sides.agree_on_training(lambda tunes, one=fine_tune_id: tunes.steps(one))
        sides.agree_on_training(lambda tunes, one=fine_tune_id: tunes.steps(one, 3))
        assert steps


@pytest.mark.parametrize(
    "ask",
    [
        lambda runs: runs.find_run("nothing"),
        lambda runs: runs.find_run("2"),
        lambda runs: runs.find_run(""),
        lambda runs: runs.find_run("a/b\0c"),
        lambda runs: runs.select("nothing"),
        lambda runs: runs.sweep_summary("nothing"),
        lambda runs: runs.progress("nothing"),
        lambda runs: runs.find_pair("nothing", "latest"),
        lambda runs: runs.set_priority("nothing", 1),
    ],
)
def test_a_refusal_is_the_same_error(sides: Sides, ask: Callable[[RunService], Any]) -> None:
    said = []
    for runs in (sides.here, sides.there):
        with pytest.raises(CrucibleError) as caught:
            ask(runs)
        said.append((isinstance(caught.value, InvalidInput), caught.value.exit_code))
    assert said[0] == said[1]


def test_the_words_of_a_refusal_arrive(sides: Sides) -> None:
    said = []
    for runs in (sides.here, sides.there):
        with pytest.raises(CrucibleError) as caught:
            runs.find_run("nothing")
        said.append((type(caught.value), caught.value.message, caught.value.hint))

    assert said[0] == said[1]


def test_a_taken_name_is_refused_before_anything_is_built(sides: Sides) -> None:
    for tunes in (sides.fine_tunes_here, sides.fine_tunes_there):
        tunes.demand_free("free")
        tunes.demand_free("shop-third")
        with pytest.raises(NameTaken):
            tunes.demand_free(ADAPTER)


def test_what_is_stopped_there_is_stopped(sides: Sides) -> None:
    run_id = sides.filled.planned
    assert sides.there.set_priority(run_id, 4)
    assert sides.here.find_run(run_id).priority == 4
    assert sides.there.pause(run_id)
    assert sides.there.stop(run_id)
    assert not sides.there.stop(run_id)
    assert sides.here.progress(run_id).state == "stopped"


def test_artifacts_go_there_and_come_back(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 9000
    monkeypatch.setattr(remote_artifacts, "CHUNK", 2**16)
    store = sides.there.artifacts

    digest = store.put(data)

    assert sides.here.artifacts.get(digest) == data
    assert store.get(digest) == data
    assert b"".join(store.chunks(digest)) == data
    assert store.size(digest) == len(data)
    assert store.put(data) == digest
    with pytest.raises(ArtifactMissing):
        store.get("0" * 64)


def test_the_datasets_are_those_of_the_server(sides: Sides) -> None:
    found = sides.there.server.get("/datasets", tuple[Known, ...])

    assert "starter" in [one.name for one in found]


def _same(here: Any, there: Any) -> Any:
    assert msgspec.json.encode(there) == msgspec.json.encode(here)
    assert type(there) is type(here)
    return there


def test_artifacts_are_checked_on_arrival(sides: Sides, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    wrong = store.put(b"other")
    with pytest.raises(CrucibleError, match="sha256"):
        sides.there.server.upload(f"/artifacts/{wrong}", lambda: iter([b"damaged"]))
