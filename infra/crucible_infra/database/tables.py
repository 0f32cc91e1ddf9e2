"""The tables, in the words of the glossary.

Times are seconds since the epoch (UTC), so both engines compare them the same way. Children name
their run and challenge in full instead of by a surrogate key: any one table can be read alone,
and storing a batch needs no look-up of keys.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    false,
    text,
)

from crucible_infra.database.any_text import AnyText

#: every constraint has a name, because a migration can only change what it can name
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=_NAMES)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("sweep_id", String, index=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    # model spec, or the file the completions came from
    Column("source", String, nullable=False),
    Column("dataset", String, nullable=False),
    Column("dataset_digest", String, nullable=False),
    # where the artifact store holds the encoded dataset
    Column("dataset_artifact", String, nullable=False),
    Column("n", Integer, nullable=False),
    Column("ks", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("sampling", JSON),
    Column("limits", JSON),
    # completions asked for in one generation message
    Column("batch", Integer, nullable=False),
    Column("grader", String, nullable=False),
    # a verdict of an earlier round counts as missing, but stays until the new one arrives
    Column("grade_round", Integer, nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
    # of the present stint: what was worked before a pause is in `seconds_before`
    Column("started_at", Double),
    # when a worker last answered
    Column("heard_at", Double),
    Column("finished_at", Double),
    Column("seconds_before", Double, nullable=False, server_default="0"),
    # the process whose end interrupts the run, see `owner`; null in a cluster
    Column("owner", String),
    # higher goes first; -10 to 10
    Column("priority", Integer, nullable=False, server_default="0"),
)

run_challenges = Table(
    "run_challenges",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("task_id", String, nullable=False),
    # the dataset's order
    Column("position", Integer, nullable=False),
    # completions wanted: indices 0 to planned - 1
    Column("planned", Integer, nullable=False),
    # what the model is sent; null for an evaluation
    Column("prompt", JSON),
    Column("seed_base", BigInteger, nullable=False),
    PrimaryKeyConstraint("run_id", "task_id"),
    Index("ix_run_challenges_position", "run_id", "position"),
)

completions = Table(
    "completions",
    metadata,
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("index", Integer, nullable=False),
    Column("form", String, nullable=False),
    # raw, kept for ever
    Column("text", AnyText, nullable=False),
    Column("seed", BigInteger),
    Column("finish", String, nullable=False),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("seconds", Double),
    # line of the samples file, for an evaluation
    Column("line", Integer),
    PrimaryKeyConstraint("run_id", "task_id", "index"),
    ForeignKeyConstraint(
        ["run_id", "task_id"],
        ["run_challenges.run_id", "run_challenges.task_id"],
        ondelete="CASCADE",
    ),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("index", Integer, nullable=False),
    Column("grader", String, nullable=False),
    Column("grade_round", Integer, nullable=False),
    Column("outcome", String, nullable=False),
    Column("detail", AnyText, nullable=False),
    Column("cpu_seconds", Double, nullable=False),
    Column("wall_seconds", Double, nullable=False),
    Column("mode", String, nullable=False),
    # the sandbox: "namespaces" or "process"; null for verdicts of versions that did not tell
    Column("isolation", String),
    # how the program was found
    Column("extraction", String, nullable=False),
    # null when there was no program
    Column("program_digest", String),
    PrimaryKeyConstraint("run_id", "task_id", "grader", "index"),
    ForeignKeyConstraint(
        ["run_id", "task_id", "index"],
        ["completions.run_id", "completions.task_id", "completions.index"],
        ondelete="CASCADE",
    ),
    # progress is polled and must not touch the rows themselves
    Index("ix_verdicts_outcome", "run_id", "grader", "grade_round", "outcome"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    # "generation" or "evaluation"
    Column("stage", String, nullable=False),
    # failures since this challenge and stage last got something done
    Column("failures", Integer, nullable=False),
    Column("is_permanent", Boolean, nullable=False),
    # of the last failure; kept after a later success
    Column("reason", AnyText),
    # when this was last sent; a lease, see the controller
    Column("sent_at", Double),
    # whether there may be something to send: the index finds it, the completions decide
    Column("is_waiting", Boolean, nullable=False, server_default=false()),
    # the messages that are not answered, each [failures before it, indices]
    Column("asked", JSON),
    # how many those are
    Column("messages", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("run_id", "task_id", "stage"),
    ForeignKeyConstraint(
        ["run_id", "task_id"],
        ["run_challenges.run_id", "run_challenges.task_id"],
        ondelete="CASCADE",
    ),
    # both hold what is under way or comes next, not what is done: small however large a run is
    Index(
        "ix_attempts_waiting",
        "run_id",
        "stage",
        "task_id",
        sqlite_where=text("is_waiting = 1"),
        postgresql_where=text("is_waiting"),
    ),
    Index(
        "ix_attempts_unanswered",
        "run_id",
        "stage",
        "messages",
        sqlite_where=text("messages > 0"),
        postgresql_where=text("messages > 0"),
    ),
)

scores = Table(
    "scores",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("grader", String, nullable=False),
    Column("k", Integer, nullable=False),
    # null where k > n; the reason says so
    Column("value", Double),
    Column("low", Double),
    Column("high", Double),
    Column("challenges", Integer, nullable=False),
    Column("reason", AnyText),
    PrimaryKeyConstraint("run_id", "grader", "k"),
)

keys = Table(
    "keys",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
