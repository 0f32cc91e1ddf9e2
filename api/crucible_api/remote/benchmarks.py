"""A benchmark as its server is asked for it: files are read and sent from here, names mean there.

What the user's own configuration calls by a name is spelled out, since the server knows other
names. A file that a worker would have to read, like a replay, is refused: it is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from crucible_api.http.forms import Begun, BenchmarkForm, PromptText
from crucible_api.matrix import open_wordings
from crucible_api.remote.connection import Server
from crucible_api.run_service import Planned
from crucible_api.wish import Wish
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current
from crucible_tasks.challenges import Dataset, encode, known, open_dataset
from crucible_tasks.model_names import spelled_out
from crucible_tasks.model_spec import ModelKind, parse
from crucible_tasks.named_router import named_router

if TYPE_CHECKING:
    from crucible_api.model_choice import Tell
    from crucible_tasks.wording import Wording

#: before the digest of what was sent
_ARTIFACT = "artifact:"


@dataclass(frozen=True, slots=True)
class RemoteBenchmark:
    """See `Readied`."""

    server: Server
    artifacts: ArtifactStore
    form: BenchmarkForm
    #: names of known ones, and files that were read
    datasets: Sequence[str | Dataset]

    def plan(self, tell: Tell) -> Planned:
        """Have the server plan and begin it."""
        names = tuple(sent_dataset(self.artifacts, one) for one in self.datasets)
        form = replace(self.form, datasets=names)
        begun = self.server.send("POST", "/runs", Begun, form)
        for note in begun.notes:
            tell(note)
        companions = frozenset(begun.companions)
        return Planned(begun.sweep, begun.runs, companions, has_toy=begun.has_toy)


def ready(server: Server, artifacts: ArtifactStore, wish: Wish) -> RemoteBenchmark:
    """Read the files of a benchmark. Raises InvalidInput for one that cannot be had."""
    wordings = open_wordings(wish)
    datasets = []
    for name in dict.fromkeys(wish.datasets):
        with wish.blamed("datasets", name):
            datasets.append(read_dataset(name))
    models = []
    usual = current().default_model
    for spec in wish.models or ((usual,) if usual else ()):
        with wish.blamed("models", spec):
            models.append(meant(spec, server.url))
    return RemoteBenchmark(server, artifacts, _form(wish, models, wordings), datasets)


def read_dataset(name: str) -> str | Dataset:
    """A name that the server knows, or the dataset of a file here."""
    return name if known.is_known(name) or name.startswith(_ARTIFACT) else open_dataset(name)


def sent_dataset(artifacts: ArtifactStore, dataset: str | Dataset) -> str:
    """What the server knows a dataset by."""
    if isinstance(dataset, str):
        return dataset
    return f"{_ARTIFACT}{artifacts.put(encode(dataset))}"


def meant(spec: str, url: str) -> str:
    """A model as the server understands it. Raises InvalidInput for a file of this host."""
    spec = spelled_out(spec, current())
    wanted = parse(spec)
    if wanted.kind is ModelKind.REPLAY:
        raise InvalidInput(
            f"{spec} reads a file of this host, and the work is done by {url}",
            hint=f"crucible evaluate {wanted.name} judges the same completions there",
        )
    router = named_router(wanted)
    return spec if router is None else router.spec


def _form(wish: Wish, models: Sequence[str], wordings: Sequence[Wording | None]) -> BenchmarkForm:
    own = [one for one in wordings if one is not None]
    return BenchmarkForm(
        models=tuple(models),
        n=wish.ns,
        k=wish.ks,
        temperatures=wish.temperatures,
        styles=cast("Any", wish.styles),
        prompts=tuple(PromptText(one.path, one.text) for one in own),
        with_default_prompt=bool(own) and None in wordings,
        top_p=wish.top_p,
        max_tokens=wish.max_tokens,
        seed=wish.seed,
        limit=wish.limit,
        cpu_seconds=wish.cpu_seconds,
        memory_mib=wish.memory_mib,
        priority=wish.priority,
        with_members=wish.with_members,
        falls_back=wish.falls_back,
    )
