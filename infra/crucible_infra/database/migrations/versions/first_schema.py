"""0001: runs, their challenges, completions, verdicts, attempts and scores."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _create_runs()
    _create_challenges()
    _create_completions()
    _create_verdicts()
    _create_attempts()
    _create_scores()


def downgrade() -> None:
    """Drop every table, children first."""
    for table in ("scores", "attempts", "verdicts", "completions", "run_challenges", "runs"):
        op.drop_table(table)


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("sweep_id", sa.String),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("dataset", sa.String, nullable=False),
        sa.Column("dataset_digest", sa.String, nullable=False),
        sa.Column("dataset_artifact", sa.String, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("ks", sa.JSON, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("sampling", sa.JSON),
        sa.Column("limits", sa.JSON),
        sa.Column("batch", sa.Integer, nullable=False),
        sa.Column("grader", sa.String, nullable=False),
        sa.Column("grade_round", sa.Integer, nullable=False),
        sa.Column("manifest", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("heard_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    for column in ("created_at", "state", "sweep_id"):
        op.create_index(f"ix_runs_{column}", "runs", [column])


def _create_challenges() -> None:
    op.create_table(
        "run_challenges",
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("prompt", sa.JSON),
        sa.Column("seed_base", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "task_id", name="pk_run_challenges"),
        _reference("run_challenges", "runs", {"run_id": "id"}),
    )
    op.create_index("ix_run_challenges_position", "run_challenges", ["run_id", "position"])


def _create_completions() -> None:
    op.create_table(
        "completions",
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger),
        sa.Column("finish", sa.String, nullable=False),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("seconds", sa.Double),
        sa.Column("line", sa.Integer),
        sa.PrimaryKeyConstraint("run_id", "task_id", "index", name="pk_completions"),
        _reference("completions", "run_challenges", {"run_id": "run_id", "task_id": "task_id"}),
    )


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("grader", sa.String, nullable=False),
        sa.Column("grade_round", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("cpu_seconds", sa.Double, nullable=False),
        sa.Column("wall_seconds", sa.Double, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("extraction", sa.String, nullable=False),
        sa.Column("program_digest", sa.String),
        sa.PrimaryKeyConstraint("run_id", "task_id", "grader", "index", name="pk_verdicts"),
        _reference(
            "verdicts",
            "completions",
            {"run_id": "run_id", "task_id": "task_id", "index": "index"},
        ),
    )
    op.create_index(
        "ix_verdicts_outcome", "verdicts", ["run_id", "grader", "grade_round", "outcome"]
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("is_permanent", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("sent_at", sa.Double),
        sa.PrimaryKeyConstraint("run_id", "task_id", "stage", name="pk_attempts"),
        _reference("attempts", "run_challenges", {"run_id": "run_id", "task_id": "task_id"}),
    )


def _create_scores() -> None:
    op.create_table(
        "scores",
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("grader", sa.String, nullable=False),
        sa.Column("k", sa.Integer, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("low", sa.Double),
        sa.Column("high", sa.Double),
        sa.Column("challenges", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("run_id", "grader", "k", name="pk_scores"),
        _reference("scores", "runs", {"run_id": "id"}),
    )


def _reference(table: str, parent: str, columns: dict[str, str]) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        list(columns),
        [f"{parent}.{column}" for column in columns.values()],
        name=f"fk_{table}_{parent}",
        ondelete="CASCADE",
    )
