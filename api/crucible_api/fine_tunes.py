"""Fine-tunes: plan them, start, stop and resume them, and tell how they stand.

Like runs, they are written into the database here, and sent and stored by the controller. A name
belongs to one fine-tune from the moment that is planned, so nothing is trained for a name that
somebody else takes meanwhile; one that failed gives its name back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from crucible_api.fine_tune_reports import FineTuneInfo, FineTunePlan, spec_of
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database import Database, open_database
from crucible_infra.database.adapters import adapters_of, every_adapter, find_adapter
from crucible_infra.database.fine_tunes import (
    artifacts_of_others,
    delete_fine_tune,
    find_fine_tune,
    holder_of,
    insert_fine_tune,
    last_step,
    lock_fine_tune,
    matching_fine_tunes,
    newest_fine_tunes,
    steps_of,
    update_fine_tune,
)
from crucible_infra.database.runs import delete_unstarted
from crucible_infra.errors import (
    FineTuneNotFound,
    InvalidInput,
    ModelError,
    NameTaken,
    StorageError,
)
from crucible_infra.fine_tune_rows import AdapterRow, FineTuneRow, StepRow
from crucible_infra.owner import has_ended, own_mark
from crucible_infra.settings import Settings, current
from crucible_tasks.control import RECONCILE, Reconcile
from crucible_tasks.fine_tuning import FineTuneState
from crucible_tasks.planning import new_id
from crucible_tasks.proof import Proof

if TYPE_CHECKING:
    from celery.canvas import Signature
    from sqlalchemy import Connection

__all__ = [
    "LATEST",
    "FineTuneInfo",
    "FineTunePlan",
    "FineTunes",
    "open_fine_tunes",
    "registered_model",
    "spec_of",
    "state_of",
    "throw_away",
]

#: names the newest fine-tune
LATEST = "latest"

#: how many an ambiguous beginning is answered with
_SHOWN = 3

_OPEN = (FineTuneState.PLANNED, FineTuneState.RUNNING, FineTuneState.INTERRUPTED)


def _send(signature: Signature) -> object:
    # Celery costs 0.2 s to import, and most of what is asked about fine-tunes sends nothing
    from crucible_tasks.sending import send  # noqa: PLC0415

    return send(signature)


@dataclass(frozen=True, slots=True)
class FineTunes:
    """The fine-tune service; its methods take whole ids, and raise FineTuneNotFound for others."""

    database: Database
    send: Callable[[Signature], object] = _send

    def demand_free(self, name: str) -> None:
        """Raise NameTaken when the name is that of another fine-tune, said with what to do."""
        with self.database.reading() as connection:
            holder = holder_of(connection, name)
        if holder is not None:
            raise _taken(name, holder)

    def demand_made(self, name: str) -> None:
        """Raise ModelError when the name is that of a fine-tune that has made no model yet."""
        with self.database.reading() as connection:
            holder = holder_of(connection, name)
        if holder is None or holder.state == FineTuneState.FINISHED:
            return
        state = state_of(holder)
        is_over = state in (FineTuneState.STOPPED, FineTuneState.INTERRUPTED)
        raise ModelError(
            f"fine-tune {holder.id} has not made {name} yet: it is {state}",
            hint=f"crucible fine-tunes {'resume' if is_over else 'follow'} {name}",
        )

    def plan(self, plan: FineTunePlan) -> str:
        """Write down a fine-tune; returns its id. Raises NameTaken."""
        now = time.time()
        row = FineTuneRow(
            id=new_id(now),
            name=plan.name,
            model=plan.model,
            base=plan.base,
            corpus=plan.corpus,
            recipe=msgspec.to_builtins(plan.recipe),
            manifest=plan.manifest,
            state=FineTuneState.PLANNED,
            created_at=now,
            proof=plan.proof,
            owner=_owner(),
            hosts=plan.hosts,
        )
        with self.database.writing() as connection:
            holder = holder_of(connection, plan.name)
            if holder is not None:
                raise _taken(plan.name, holder)
            insert_fine_tune(connection, row)
        return row.id

    def start(self, fine_tune_id: str) -> None:
        """Have it trained, from its last checkpoint if there is one.

        One that is finished stays as it is. Raises NameTaken when its name was given away since it
        failed, InvalidInput while it is trained, BrokerUnavailable.
        """
        with self.database.writing() as connection:
            row = _found(fine_tune_id, lock_fine_tune(connection, fine_tune_id))
            state = state_of(row)
            if state == FineTuneState.FINISHED:
                return
            if state == FineTuneState.RUNNING and row.owner is not None:
                raise InvalidInput(f"{row.name} is being trained by another process")
            holder = holder_of(connection, row.name)
            if holder is not None and holder.id != row.id:
                raise _taken(row.name, holder)
            seconds = FineTuneInfo(row, state, None).seconds or 0.0
            update_fine_tune(
                connection,
                row.id,
                state=FineTuneState.RUNNING,
                failures=0,
                # what is under way in a cluster is told by its next news that it goes on
                sent_at=row.sent_at if state == FineTuneState.RUNNING else None,
                begun_at=row.begun_at if state == FineTuneState.RUNNING else None,
                gave_back_at=row.gave_back_at if state == FineTuneState.RUNNING else None,
                started_at=time.time(),
                seconds_before=seconds,
                finished_at=None,
                owner=_owner(),
            )
        self.send(RECONCILE.signature(Reconcile(fine_tune_id=fine_tune_id)))

    def stop(self, fine_tune_id: str) -> bool:
        """Have it stopped after a checkpoint; returns whether there was anything to stop."""
        with self.database.writing() as connection:
            row = _found(fine_tune_id, lock_fine_tune(connection, fine_tune_id))
            state = state_of(row)
            if state not in _OPEN:
                return False
            is_left = state == FineTuneState.INTERRUPTED
            ended = (row.heard_at or row.started_at) if is_left else time.time()
            values: dict[str, object] = {"state": FineTuneState.STOPPED, "finished_at": ended}
            if is_left:
                # its worker has died with its process
                values["sent_at"] = None
            update_fine_tune(connection, row.id, **values)
        return True

    def remove(self, fine_tune_id: str) -> frozenset[str]:
        """Forget it and free its name; returns the artifacts that nobody else has use for.

        Its runs stay, but for those that never began. Raises InvalidInput while it is trained.
        """
        with self.database.writing() as connection:
            row = _found(fine_tune_id, lock_fine_tune(connection, fine_tune_id))
            if state_of(row) == FineTuneState.RUNNING:
                hint = f"crucible fine-tunes stop {row.id}"
                raise InvalidInput(f"{row.name} is being trained", hint=hint)
            adapter = adapters_of(connection, [row.id]).get(row.id)
            own = {row.corpus, *(digest for _, digest in row.checkpoints)}
            own |= set() if adapter is None else {adapter.artifact}
            unused = frozenset(own) - artifacts_of_others(connection, row.id)
            if row.proof is not None:
                delete_unstarted(connection, msgspec.convert(row.proof, Proof).run_ids)
            delete_fine_tune(connection, row.id)
        return unused

    def info(self, fine_tune_id: str) -> FineTuneInfo:
        """How it stands; cheap enough to be asked five times a second."""
        with self.database.reading() as connection:
            row = _found(fine_tune_id, find_fine_tune(connection, fine_tune_id))
            return _info(row, adapters_of(connection, [row.id]).get(row.id))

    def steps(self, fine_tune_id: str, after: int = -1) -> tuple[StepRow, ...]:
        """The steps of its training behind this one."""
        with self.database.reading() as connection:
            return steps_of(connection, fine_tune_id, after)

    def last_step(self, fine_tune_id: str) -> StepRow | None:
        """The last step of its training; None before the first."""
        with self.database.reading() as connection:
            found = steps_of(connection, fine_tune_id, last_step(connection, fine_tune_id) - 1)
        return found[-1] if found else None

    def newest(self, limit: int) -> tuple[FineTuneInfo, ...]:
        """The last ones planned, newest first."""
        with self.database.reading() as connection:
            return infos(connection, newest_fine_tunes(connection, limit))

    def find(self, text: str) -> FineTuneInfo:
        """The fine-tune a user means: its model's name, an id or part of one, or `latest`.

        Raises FineTuneNotFound when there is none, or more than one.
        """
        with self.database.reading() as connection:
            if text == LATEST:
                rows = newest_fine_tunes(connection, 1)
            else:
                holder = holder_of(connection, text)
                found = matching_fine_tunes(connection, text, _SHOWN + 1) if text else ()
                rows = (holder,) if holder else found
            row = _only(text, rows)
            return _info(row, adapters_of(connection, [row.id]).get(row.id))

    def note_proof(self, fine_tune_id: str, proof: dict[str, Any]) -> None:
        """Remember by which runs a fine-tune is proved."""
        with self.database.writing() as connection:
            update_fine_tune(connection, fine_tune_id, proof=proof)

    def registered(self) -> tuple[AdapterRow, ...]:
        """The models that fine-tunes have made, the newest first."""
        with self.database.reading() as connection:
            return every_adapter(connection)


def open_fine_tunes(settings: Settings) -> FineTunes:
    """The service over the configured database.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    return FineTunes(open_database(settings.database_url))


def infos(connection: Connection, rows: Sequence[FineTuneRow]) -> tuple[FineTuneInfo, ...]:
    """How these stand."""
    adapters = adapters_of(connection, [row.id for row in rows])
    return tuple(_info(row, adapters.get(row.id)) for row in rows)


def throw_away(
    store: ArtifactStore, digests: Iterable[str], tell: Callable[[str], object]
) -> list[str]:
    """Give back the space of what nobody else uses; what cannot be removed is told and stays."""
    gone = []
    for digest in sorted(digests):
        try:
            store.remove(digest)
        except StorageError as error:
            tell(f"{digest} stays: {error.message}")
        else:
            gone.append(digest)
    return gone


def registered_model(database: Database, name: str) -> AdapterRow | None:
    """The model that a fine-tune has registered under this name."""
    with database.reading() as connection:
        return find_adapter(connection, name)


def state_of(row: FineTuneRow) -> FineTuneState:
    """Where it stands; one whose process was killed says something else in its row."""
    is_open = row.state in (FineTuneState.PLANNED, FineTuneState.RUNNING)
    is_left = is_open and row.owner is not None and has_ended(row.owner)
    return FineTuneState.INTERRUPTED if is_left else FineTuneState(row.state)


def _info(row: FineTuneRow, adapter: AdapterRow | None) -> FineTuneInfo:
    # nobody can have what the process had that is gone
    state = state_of(row)
    is_left = state == FineTuneState.INTERRUPTED
    return FineTuneInfo(replace(row, sent_at=None) if is_left else row, state, adapter)


def _owner() -> str | None:
    return own_mark() if current().is_embedded else None


def _found(fine_tune_id: str, row: FineTuneRow | None) -> FineTuneRow:
    if row is None:
        hint = "crucible fine-tunes list"
        raise FineTuneNotFound(f"no fine-tune is called {fine_tune_id}", hint=hint)
    return row


def _only(text: str, rows: Sequence[FineTuneRow]) -> FineTuneRow:
    hint = "crucible fine-tunes list"
    if len(rows) == 1:
        return rows[0]
    if not rows:
        none = "there are no fine-tunes yet"
        problem = none if text == LATEST else f"no fine-tune is called {text!r} or begins with it"
        raise FineTuneNotFound(problem, hint=hint)
    names = ", ".join(row.id for row in rows[:_SHOWN]) + (", …" if len(rows) > _SHOWN else "")
    raise FineTuneNotFound(f"several match {text!r}: {names}", hint="give more of the id")


def _taken(name: str, holder: FineTuneRow) -> NameTaken:
    state = state_of(holder)
    if state == FineTuneState.FINISHED:
        return NameTaken(
            f"there is a model called {name} already, of fine-tune {holder.id}",
            hint="choose another --new-model-name",
        )
    hint = f"crucible fine-tunes resume {holder.id}, or choose another --new-model-name"
    return NameTaken(f"{name} is the name of fine-tune {holder.id}, which is {state}", hint=hint)
