"""Fine-tunes written straight into a database, as if they had been trained."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database import Database
from crucible_infra.database.adapters import insert_adapter
from crucible_infra.database.fine_tunes import insert_fine_tune, store_steps
from crucible_infra.fine_tune_rows import AdapterRow, FineTuneRow, StepRow
from crucible_tasks.corpus.corpus import Corpus, Document, Pair, Part, encode
from crucible_tasks.corpus.report import (
    CorpusReport,
    Dropped,
    LicenceFound,
    PartCount,
    Reason,
    Removed,
    Rule,
    Screened,
    SecretFound,
)
from crucible_tasks.fine_tuning import AdapterRecord, FineTuneState, HeldOutFile
from crucible_tasks.recipe import TOY
from filled_runs import made_id

STEPS = 180

#: steps between two looks at the held-out files
_EVERY = 30

_HOST = "gpu-1"


@dataclass(frozen=True, slots=True)
class Training:
    """A fine-tune to be written."""

    name: str
    state: FineTuneState
    created_at: float
    #: steps there are
    steps: int
    #: of its failure
    reason: str | None = None


def write_fine_tune(
    database: Database, artifacts: ArtifactStore, training: Training, seed: int
) -> FineTuneRow:
    """Write a fine-tune with its steps, and its model if it is finished."""
    rng = random.Random(f"{seed} {training.name} {training.created_at}")
    corpus = _corpus()
    row = _row(training, artifacts.put(encode(corpus)), corpus, rng)
    with database.writing() as connection:
        insert_fine_tune(connection, row)
        store_steps(connection, list(_steps(row.id, training.steps, rng)))
        if training.state == FineTuneState.FINISHED:
            insert_adapter(connection, _adapter(row, artifacts))
    return row


def _row(training: Training, corpus: str, made: Corpus, rng: random.Random) -> FineTuneRow:
    started = training.created_at + 3
    is_over = training.state not in (FineTuneState.RUNNING, FineTuneState.PLANNED)
    last = started + training.steps * 0.4
    return FineTuneRow(
        id=made_id(training.created_at, rng),
        name=training.name,
        model="nano",
        base="nano",
        corpus=corpus,
        recipe=msgspec.to_builtins(TOY),
        manifest={
            "directory": "/home/ada/shop",
            "corpus": {
                "digest": corpus,
                "origin": made.origin,
                "train": msgspec.to_builtins(made.report.train),
                "held_out": msgspec.to_builtins(made.report.held_out),
            },
        },
        state=training.state,
        created_at=training.created_at,
        attempt=1,
        failures=3 if training.reason else 0,
        reason=training.reason,
        exit_code=4 if training.reason else None,
        host=_HOST,
        notes=["rows of 256 tokens are 97 % full", "float32 on 1 thread"],
        sent_at=started if training.state == FineTuneState.RUNNING else None,
        started_at=started,
        heard_at=last,
        finished_at=last if is_over else None,
    )


def _steps(fine_tune_id: str, last: int, rng: random.Random) -> Iterator[StepRow]:
    for step in range(last + 1):
        falling = 0.9 + 1.6 * math.exp(-step / 60)
        asks = step % _EVERY == 0
        yield StepRow(
            fine_tune_id=fine_tune_id,
            step=step,
            steps=STEPS,
            loss=round(falling + rng.gauss(0, 0.05), 4) if step else None,
            held_out_loss=round(falling + 0.15, 4) if asks else None,
            learning_rate=0.0015 * (1 - step / STEPS) if step else None,
            tokens=step * 512,
            tokens_per_second=round(rng.gauss(2200, 80), 1) if step else None,
            mfu=round(rng.uniform(0.3, 0.34), 4) if step else None,
            memory_bytes=700 * 2**20 if step else None,
            seconds=round(step * 0.4, 2),
        )


def _adapter(row: FineTuneRow, artifacts: ArtifactStore) -> AdapterRow:
    record = AdapterRecord(
        base=row.base,
        base_digest="b" * 64,
        corpus_digest=row.corpus,
        recipe=TOY,
        steps=STEPS,
        kept_step=150,
        stopped_early=False,
        tokens=STEPS * 512,
        seconds=72.0,
        held_out_loss_before=2.65,
        held_out_loss=1.18,
        perplexity_before=14.15,
        perplexity=3.25,
        notes=tuple(row.notes),
        versions={"torch": "2.13.0", "peft": "0.18.0"},
        held_out_files=(
            HeldOutFile("shop/basket.py", 410, 1090.0, 480.0),
            HeldOutFile("shop/vat.py", 220, 560.0, 270.0),
        ),
    )
    return AdapterRow(
        name=row.name,
        fine_tune_id=row.id,
        base=row.base,
        artifact=artifacts.put(hashlib.sha256(row.name.encode()).digest()),
        is_whole=False,
        record=msgspec.to_builtins(record),
        created_at=row.finished_at or row.created_at,
    )


def _corpus() -> Corpus:
    source = (
        'def vat(net, rate=0.19):\n    """Return what is to be added."""\n    return net * rate\n'
    )
    documents = tuple(
        Document(f"shop/part_{number}.py", "python", source.replace("vat", f"vat_{number}"), part)
        for number, part in enumerate([*[Part.TRAIN] * 8, *[Part.HELD_OUT] * 2])
    )
    pairs = (Pair("shop/part_0.py", "Return what is to be added.", source, Part.TRAIN),)
    return Corpus("c" * 64, documents, pairs, _report(documents))


def _report(documents: tuple[Document, ...]) -> CorpusReport:
    def count(part: Part) -> PartCount:
        texts = [one.text for one in documents if one.part is part]
        return PartCount(len(texts), sum(map(len, texts)), int(part is Part.TRAIN))

    return CorpusReport(
        files=31,
        train=count(Part.TRAIN),
        held_out=count(Part.HELD_OUT),
        languages={"python": len(documents)},
        dropped=(
            Dropped("node_modules/", Reason.VENDORED),
            Dropped("shop/static/all.min.js", Reason.MINIFIED, "a line of 81,204 characters"),
            Dropped("shop/<img src=x onerror=alert(1)>.py", Reason.TOO_SHORT),
        ),
        secrets=(SecretFound("shop/settings.py", 12, "AWS Access Key"),),
        removed=(Removed("shop/sums.py", 3, 9, "starter", "starter/sum_all", Rule.SYNTAX),),
        licences=(LicenceFound("LICENSE", "MIT", is_file=True),),
        screened=(Screened("starter", "d" * 64, 50, is_private=False),),
        notes=("2 of 10 files are held out",),
    )
