"""Two runs to compare, by their ids or by the names of their models.

A name means the newest run of its model, which a fine-tune may have made. Beside a router's run it
means the run of that member in the same sweep, which answered the same challenges with the same
seeds.
"""

from __future__ import annotations

from sqlalchemy import Connection

from crucible_api.member_runs import find_alone
from crucible_api.runs import Runs
from crucible_infra.database.runs import RunRow, find_run, newest_runs
from crucible_infra.errors import RunNotFound
from crucible_infra.settings import current
from crucible_tasks.model_names import spelled_out
from crucible_tasks.model_spec import parse
from crucible_tasks.registered import registered_in
from crucible_tasks.router import router_in

#: newest runs a name is looked for in
_LOOKED_THROUGH = 1000


def find_pair(runs: Runs, a: str, b: str) -> tuple[str, str]:
    """The ids of the runs that two words mean. Raises RunNotFound."""
    ids = [_by_id(runs, text) for text in (a, b)]
    with runs.database.reading() as connection:
        found = [None if one is None else find_run(connection, one) for one in ids]
        look = _Look(connection)
        # a router's run leads to its members', so it is looked up first
        for find in (look.router_run, look.model_run):
            for text, other, place in ((a, b, 0), (b, a, 1)):
                if found[place] is None:
                    found[place] = find(text, other, found[1 - place])
    return _whole(a, found[0]), _whole(b, found[1])


def meant(text: str) -> str:
    """What a configured name stands for; a run's id and everything else stays as it is."""
    return spelled_out(text, current()) if text in current().models else text


def _whole(text: str, run: RunRow | None) -> str:
    if run is not None:
        return run.id
    raise RunNotFound(
        f"no run begins with {text!r}, and none of a model of this name is known",
        hint="crucible runs list",
    )


def _by_id(runs: Runs, text: str) -> str | None:
    try:
        return runs.find_run(text).id
    except RunNotFound as error:
        if "several" in error.message:
            raise
        return None


class _Look:
    """Looks for runs by the names of their models."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def router_run(self, text: str, other: str, beside: RunRow | None) -> RunRow | None:
        """The newest run of a router; the newest with the other's run of a member, if any has."""
        found = [run for run in self._named(text) if router_in(run.source) is not None]
        if beside is None:
            paired = (run for run in found if find_alone(self._connection, run, other))
            return next(paired, next(iter(found), None))
        return next(iter(found), None)

    def model_run(self, text: str, other: str, beside: RunRow | None) -> RunRow | None:
        """The run of a member beside the router's, else the newest run of a model."""
        del other
        alone = None if beside is None else find_alone(self._connection, beside, text)
        return alone or next(iter(self._named(text)), None)

    def _named(self, text: str) -> list[RunRow]:
        runs = newest_runs(self._connection, _LOOKED_THROUGH)
        return [run for run in runs if text in _names(run)]


def _names(run: RunRow) -> tuple[str, ...]:
    router = router_in(run.source)
    if router is not None:
        return (router.name, router.label)
    if run.sampling is None:
        # the file of an evaluation is no model
        return ()
    registered = registered_in(run.manifest)
    trained = () if registered is None else (registered.name,)
    return (run.source, parse(run.source).name, *trained)
