"""The controller's part for proofs: when a model is registered, base and model set off to answer.

The new model's runs are copies of the base's: the same challenges, prompts, seeds and limits. They
are written in the transaction that registers the model, so a fine-tune that nobody watches ends
proved all the same. In a cluster they begin at once: the next reconcile finds them. On a laptop
they belong to the command that trains, which begins them one after the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from crucible_infra.database.adapters import find_adapter
from crucible_infra.database.fine_tunes import update_fine_tune
from crucible_infra.database.runs import RunRow, challenges_of, insert_run, lock_run, update_run
from crucible_infra.fine_tune_rows import AdapterRow, FineTuneRow
from crucible_tasks.planning import RunState, new_id
from crucible_tasks.proof import Part, Proof
from crucible_tasks.recipe import Recipe
from crucible_tasks.registered import KEY, Registered, spec_of_trained


def begin_proof(connection: Connection, row: FineTuneRow, now: float, *, starts: bool) -> None:
    """Write the new model's runs down, whose adapter is registered; `starts` sets all off."""
    adapter = find_adapter(connection, row.name)
    if row.proof is None or adapter is None:
        return
    proof = msgspec.convert(row.proof, Proof)
    parts = tuple(
        replace(part, new_run=_copied(connection, row, adapter, part, now)) for part in proof.parts
    )
    proof = replace(proof, parts=parts)
    for run_id in proof.run_ids if starts else ():
        _start(connection, run_id, now)
    update_fine_tune(connection, row.id, proof=msgspec.to_builtins(proof))


def _copied(
    connection: Connection, row: FineTuneRow, adapter: AdapterRow, part: Part, now: float
) -> str | None:
    """The id of the base's run again, for the new model; None where there is none to copy."""
    base = None if part.base_run is None else lock_run(connection, part.base_run)
    if base is None or part.new_run is not None:
        return part.new_run
    challenges = challenges_of(connection, base.id)
    method = msgspec.convert(row.recipe, Recipe).method
    spec = spec_of_trained(adapter.base, method, adapter.artifact, is_whole=adapter.is_whole)
    manifest = base.manifest | {"model": _model(base, spec, adapter)}
    if part.shared is not None:
        count = len(challenges)
        said = Registered(row.name, row.id, row.corpus, part.name, count, part.shared)
        manifest |= {KEY: msgspec.to_builtins(said)}
    run = replace(
        base,
        id=new_id(now),
        state=RunState.PLANNED,
        source=spec,
        manifest=manifest,
        created_at=now,
        started_at=None,
        heard_at=None,
        finished_at=None,
        seconds_before=0.0,
        owner=row.owner,
    )
    insert_run(connection, run, [replace(one, run_id=run.id) for one in challenges])
    return run.id


def _model(base: RunRow, spec: str, adapter: AdapterRow) -> dict[str, Any]:
    """The base's identity, with what is known of the new model before anybody has loaded it."""
    known: dict[str, Any] = base.manifest["model"]
    both = f"{known['digest']} {adapter.artifact}"
    return known | {
        "spec": spec,
        "name": adapter.name,
        "digest": hashlib.sha256(both.encode()).hexdigest(),
        "details": {"base": known["digest"], "trained": adapter.artifact},
    }


def _start(connection: Connection, run_id: str, now: float) -> None:
    run = lock_run(connection, run_id)
    # a person may have stopped it before its turn
    if run is not None and run.state == RunState.PLANNED:
        update_run(connection, run_id, state=RunState.RUNNING, started_at=now)
