"""What is posted, as what our services take: datasets, samples, wordings.

Nothing here reads a file that a request names: what a client has in files, it puts as artifacts.
An artifact is somebody's bytes: its size is bounded, unpacked as well, before it is read.
"""

from __future__ import annotations

import gzip
import io
import json
import sysconfig
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from crucible_api.http.allowed import ARTIFACT
from crucible_api.http.forms import BenchmarkForm, EvaluationForm
from crucible_api.samples import read_samples
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.challenge import Challenge, RepositoryTests
from crucible_tasks.challenges import Dataset, create, decode, names, open_dataset, select
from crucible_tasks.planning import ImportedCompletion
from crucible_tasks.wording import Wording, checked_wording

#: bytes of what is read as a whole, unpacked; ten times the largest published benchmark's samples
MAX_READ = 512 * 2**20

_GZIP_MAGIC = b"\x1f\x8b"

#: bytes unpacked at once
_PIECE = 2**20


def dataset_of(name: str, limit: int | None, artifacts: ArtifactStore) -> Dataset:
    """The dataset of a known name, or one that was put. Raises InvalidInput, ArtifactMissing."""
    if name.startswith(ARTIFACT):
        found = _on_this_host(decode(read_artifact(artifacts, name.removeprefix(ARTIFACT))))
    elif name in names():
        found = open_dataset(name)
    else:
        raise InvalidInput(
            f"no dataset is called {name[:200]!r}",
            hint=f"{', '.join(names())}, or artifact:DIGEST of one that was put",
        )
    return found if limit is None else select(found, limit=limit)


def wordings_of(form: BenchmarkForm) -> list[Wording | None]:
    """The wordings, each once; None is our own. Raises FormatError."""
    found: dict[str | None, Wording | None] = {}
    if form.with_default_prompt or not form.prompts:
        found[None] = None
    for one in form.prompts:
        refuse_unprintable("prompts", one.path)
        wording = checked_wording(one.path, one.text)
        found.setdefault(wording.sha256, wording)
    return list(found.values())


def completions_of(form: EvaluationForm, artifacts: ArtifactStore) -> list[ImportedCompletion]:
    """The completions that are to be judged. Raises FormatError, InvalidInput, ArtifactMissing."""
    if (form.artifact is None) == (not form.rows):
        raise InvalidInput("either artifact or rows holds what is to be judged")
    if form.artifact is None:
        content = b"".join(json.dumps(row).encode() + b"\n" for row in form.rows)
    else:
        content = read_artifact(artifacts, form.artifact)
    with TemporaryDirectory(prefix="crucible-samples-") as directory:
        path = Path(directory, "samples.jsonl")
        path.write_bytes(content)
        try:
            return read_samples(path)
        except FormatError as error:
            message = error.message.replace(str(path), form.source)
            raise FormatError(message, hint=error.hint) from error


def read_artifact(artifacts: ArtifactStore, digest: str) -> bytes:
    """The bytes of an artifact that fits into memory. Raises InvalidInput, ArtifactMissing."""
    if artifacts.size(digest) > MAX_READ:
        raise InvalidInput(f"artifact {digest} has more than {MAX_READ // 2**20} MiB")
    content = artifacts.get(digest)
    if content.startswith(_GZIP_MAGIC):
        _refuse_bomb(digest, content)
    return content


def refuse_unprintable(name: str, text: str) -> None:
    """Raise InvalidInput for a text that no terminal shows and no database keeps."""
    if not text.isprintable():
        raise InvalidInput(f"{name} holds characters that cannot be shown")


def _refuse_bomb(digest: str, content: bytes) -> None:
    total = 0
    try:
        # every member of it: whoever reads it takes them all
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while piece := file.read(_PIECE):
                total += len(piece)
                if total > MAX_READ:
                    unpacked = f"more than {MAX_READ // 2**20} MiB when it is unpacked"
                    raise InvalidInput(f"artifact {digest} has {unpacked}")
    except (OSError, EOFError, zlib.error):
        # whoever reads it says what is wrong with it
        return


def _on_this_host(dataset: Dataset) -> Dataset:
    """The dataset with packages of this host: those that it names are files of another."""
    if not any(_packages(one) for one in dataset.challenges):
        return dataset
    own = Path(sysconfig.get_path("purelib"))
    if not (own / "_pytest").is_dir():
        raise InvalidInput(
            f"{dataset.name} needs pytest, which is not installed beside the server",
            hint="pip install pytest, in the server's environment",
        )
    changed = [_with_packages(one, (str(own),)) for one in dataset.challenges]
    return create(dataset.name, dataset.format, changed, dataset.archives)


def _packages(challenge: Challenge) -> Sequence[str]:
    tests = challenge.tests
    return tests.packages if isinstance(tests, RepositoryTests) else ()


def _with_packages(challenge: Challenge, packages: tuple[str, ...]) -> Challenge:
    tests = challenge.tests
    if not isinstance(tests, RepositoryTests):
        return challenge
    return replace(challenge, tests=msgspec.structs.replace(tests, packages=packages))
