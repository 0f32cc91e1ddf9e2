"""Implements the contracts of generation: sample completions; describe and list models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from crucible_infra import log
from crucible_infra.errors import (
    CrucibleError,
    EmptyCompletion,
    ModelError,
    SandboxBroken,
    ServerTimeout,
    StorageError,
)
from crucible_tasks import sending
from crucible_tasks.completion import Completion, Form
from crucible_tasks.control import STORE_COMPLETIONS
from crucible_tasks.generation import (
    GENERATION,
    MODELS,
    Generation,
    GenerationRequest,
    ModelIdentity,
    ModelReport,
    ModelRequest,
)
from crucible_workers.models import open_model
from crucible_workers.models.energy import measured
from crucible_workers.models.interface import Model, SampleRequest
from crucible_workers.models.leases import Leases
from crucible_workers.models.patience import IMPATIENT
from crucible_workers.models.sampled import cut_at_stop

#: seconds after which nothing new is begun: a task is killed at 3000, with all it has sampled,
#: and one sample may take 1100
_BUDGET = 1500.0

#: models described at once when everything on this host is listed
_DESCRIBED_AT_ONCE = 8

_leases = Leases(open_model)


@GENERATION.implement
def generate(request: GenerationRequest) -> Generation:
    """Sample what is asked for and send it to the controller, which stores it."""
    generation = sample(request, _leases)
    # a model may have taken minutes for it
    sending.send_patiently(STORE_COMPLETIONS.signature(generation))
    return generation


@MODELS.implement
def describe(request: ModelRequest) -> ModelReport:
    """Describe one model, or list every model that answers on this host's usual ports."""
    try:
        if request.model is None:
            return _list_models()
        return ModelReport((_identity(request.model, request.dataset),))
    except CrucibleError as error:
        return ModelReport((), problem=error.message, hint=error.hint)


def sample(request: GenerationRequest, leases: Leases) -> Generation:
    """The completions, or those that were sampled until something failed, and what it was."""
    completions: list[Completion] = []
    failure: CrucibleError | None = None
    try:
        with leases.model(request.model, request.dataset) as model:
            for found in _sampled(model, request):
                if isinstance(found, EmptyCompletion):
                    failure = found
                else:
                    completions.extend(found)
    except CrucibleError as error:
        failure = error
    if failure is not None:
        log.warning("generation_failed", task=request.task_id, problem=failure.message)
    return Generation(
        run_id=request.run_id,
        task_id=request.task_id,
        completions=tuple(completions),
        failure=failure.message if failure else None,
        is_transient=_is_transient(failure),
        indices=request.indices,
        attempt=request.attempt,
    )


def _sampled(
    model: Model, request: GenerationRequest
) -> Iterator[tuple[Completion, ...] | EmptyCompletion]:
    """Call by call; only an answer without text leaves hope for the next call."""
    started = time.monotonic()
    waiting = list(request.indices)
    while waiting:
        if time.monotonic() - started > _BUDGET:
            raise ServerTimeout(f"{len(waiting)} samples did not fit into {_BUDGET:.0f} s")
        size = model.samples_per_call
        asked, waiting = tuple(waiting[:size]), waiting[size:]
        try:
            found = measured(model, _sample_request(request, asked))
        except EmptyCompletion as error:
            yield error
        else:
            yield tuple(cut_at_stop(completion, request.prompt.stop) for completion in found)


def _sample_request(request: GenerationRequest, indices: tuple[int, ...]) -> SampleRequest:
    is_raw = request.prompt.text is not None
    return SampleRequest(
        task_id=request.task_id,
        prompt=request.prompt,
        sampling=request.sampling,
        seed_base=request.seed_base,
        indices=indices,
        form=Form.CONTINUATION if is_raw else Form.RESPONSE,
    )


def _is_transient(failure: CrucibleError | None) -> bool:
    if isinstance(failure, ModelError):
        return failure.is_transient
    # a store may be back soon, and a sandbox that examples are judged in; a wrong spec stays wrong
    return failure is None or isinstance(failure, StorageError | SandboxBroken)


def _identity(spec: str, dataset: str | None) -> ModelIdentity:
    # opened anew: whoever asks wants to know what is there now
    model = open_model(spec, dataset, IMPATIENT)
    try:
        return model.identity()
    finally:
        model.close()


def _list_models() -> ModelReport:
    from crucible_workers.models.discovery import discover  # noqa: PLC0415 -- needs httpx

    specs = [str(spec) for endpoint in discover() for spec in endpoint.specs]
    with ThreadPoolExecutor(_DESCRIBED_AT_ONCE, thread_name_prefix="describe") as pool:
        found = pool.map(_identity_or_nothing, specs)
        return ModelReport(tuple(identity for identity in found if identity is not None))


def _identity_or_nothing(spec: str) -> ModelIdentity | None:
    try:
        return _identity(spec, None)
    except CrucibleError as error:
        # an embedding model, or one that vanished meanwhile
        log.debug("model_not_listed", model=spec, problem=error.message)
        return None
