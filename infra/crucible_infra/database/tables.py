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
    # of GPUs on the sampling host; null where nobody measured it
    Column("joules", Double),
    PrimaryKeyConstraint("run_id", "task_id", "index"),
    ForeignKeyConstraint(
        ["run_id", "task_id"],
        ["run_challenges.run_id", "run_challenges.task_id"],
        ondelete="CASCADE",
    ),
)

draws = Table(
    "draws",
    metadata,
    Column("run_id", String, nullable=False),
    Column("task_id", String, nullable=False),
    # of the completion they led to
    Column("index", Integer, nullable=False),
    # from 0, in the order they were drawn
    Column("draw", Integer, nullable=False),
    # the member's place in the router that the run asks
    Column("member", Integer, nullable=False),
    Column("form", String, nullable=False),
    # raw, kept for ever; null where it is the completion's
    Column("text", AnyText),
    Column("finish", String, nullable=False),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("seconds", Double),
    # what it was turned down for
    Column("signals", JSON, nullable=False),
    # as in completions
    Column("joules", Double),
    PrimaryKeyConstraint("run_id", "task_id", "index", "draw"),
    ForeignKeyConstraint(
        ["run_id", "task_id", "index"],
        ["completions.run_id", "completions.task_id", "completions.index"],
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

fine_tunes = Table(
    "fine_tunes",
    metadata,
    Column("id", String, primary_key=True),
    # of the model it makes
    Column("name", String, nullable=False),
    # the spec it was asked for with
    Column("model", String, nullable=False),
    # the weights that are trained: `nano`, a directory, an id of the hub or `artifact:DIGEST`
    Column("base", String, nullable=False),
    # where the artifact store holds the encoded corpus
    Column("corpus", String, nullable=False),
    Column("recipe", JSON, nullable=False),
    # what was planned and found besides: the tree, the corpus' counts, versions
    Column("manifest", JSON, nullable=False),
    Column("state", String, nullable=False, index=True),
    # how often it was sent; only the last one's news count
    Column("attempt", Integer, nullable=False, server_default="0"),
    # failed attempts since it last got a step further
    Column("failures", Integer, nullable=False, server_default="0"),
    # of the last failure; kept after a later success
    Column("reason", AnyText),
    # what the trainer ended with, where it said why itself
    Column("exit_code", Integer),
    # who trained last
    Column("host", String),
    # [name, digest] of each whole one in the artifact store
    Column("checkpoints", JSON, nullable=False),
    # the trainer's sentences
    Column("notes", JSON, nullable=False),
    # what is to be proved and by which runs; null without a proof
    Column("proof", JSON),
    # the process whose end interrupts it, see `owner`; null in a cluster
    Column("owner", String),
    Column("created_at", Double, nullable=False, index=True),
    # when its message was last sent; a lease, see the controller
    Column("sent_at", Double),
    # of the present stint
    Column("started_at", Double),
    Column("heard_at", Double),
    Column("finished_at", Double),
    Column("seconds_before", Double, nullable=False, server_default="0"),
    # workers that train it together; more than one are a gang
    Column("hosts", Integer, nullable=False, server_default="1"),
    # what a gang lacks before it can begin, in words; null when it lacks nothing
    Column("waits_for", AnyText),
    # when the gang of the present attempt was complete
    Column("begun_at", Double),
    # how often its hosts were given back since a gang of it last began, and when last
    Column("given_back", Integer, nullable=False, server_default="0"),
    Column("gave_back_at", Double),
    # a name belongs to one fine-tune, unless that has failed
    Index(
        "ix_fine_tunes_name",
        "name",
        unique=True,
        sqlite_where=text("state <> 'failed'"),
        postgresql_where=text("state <> 'failed'"),
    ),
)

gang_seats = Table(
    "gang_seats",
    metadata,
    Column("fine_tune_id", ForeignKey("fine_tunes.id", ondelete="CASCADE"), nullable=False),
    # its rank, and which of the attempt's messages its worker holds
    Column("member", Integer, nullable=False),
    # made up by who sits there, so that nobody else is taken for it
    Column("token", String, nullable=False),
    # on the roster; null for a worker that is no member of it
    Column("worker", String),
    Column("host", String, nullable=False),
    # where the others would meet it
    Column("address", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("heard_at", Double, nullable=False),
    PrimaryKeyConstraint("fine_tune_id", "member"),
)

training_steps = Table(
    "training_steps",
    metadata,
    Column("fine_tune_id", ForeignKey("fine_tunes.id", ondelete="CASCADE"), nullable=False),
    # of the optimizer; 0 is the base model
    Column("step", Integer, nullable=False),
    # how many there will be
    Column("steps", Integer, nullable=False),
    Column("loss", Double),
    Column("held_out_loss", Double),
    Column("learning_rate", Double),
    # from the beginning
    Column("tokens", BigInteger, nullable=False),
    Column("tokens_per_second", Double),
    Column("mfu", Double),
    Column("memory_bytes", BigInteger),
    # since its process began
    Column("seconds", Double, nullable=False),
    PrimaryKeyConstraint("fine_tune_id", "step"),
)

adapters = Table(
    "adapters",
    metadata,
    # as users write it after --model
    Column("name", String, primary_key=True),
    Column(
        "fine_tune_id",
        ForeignKey("fine_tunes.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
        unique=True,
    ),
    # what it belongs on
    Column("base", String, nullable=False),
    # its files, as one bundle
    Column("artifact", String, nullable=False),
    # whether it is all weights and needs no base
    Column("is_whole", Boolean, nullable=False),
    # the trainer's own record
    Column("record", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
)
