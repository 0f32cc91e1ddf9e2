"""What a request may name: models and datasets, but no files of the server's host.

Whoever has a token is trusted to ask any model server and to train; the server's files are
somebody else's. A file is meant by a name of the server's own configuration, or put as an artifact.
"""

from __future__ import annotations

from pathlib import Path

from crucible_infra.errors import InvalidInput
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse
from crucible_tasks.router import router_in

#: before the digest of what was put as an artifact
ARTIFACT = "artifact:"


def check_model(spec: str) -> None:
    """Refuse a spec that names a file of this host. Raises InvalidModelSpec, InvalidInput."""
    router = router_in(spec)
    for member in () if router is None else router.members:
        check_model(member.spec)
    wanted = parse(spec)
    if router is None and any(_is_file(one) for one in _places(wanted)):
        raise InvalidInput(
            f"{spec} names a file of the server's host",
            hint="give it a name in the server's configuration; weights can be artifact:DIGEST, "
            "and answers that are there already are judged as an evaluation",
        )


def check_weights(place: str) -> None:
    """Refuse weights to train that are a directory of this host. Raises InvalidInput."""
    if _is_file(place):
        raise InvalidInput(
            f"{place} names a directory of the server's host",
            hint="an id of the hub, or artifact:DIGEST (crucible models store)",
        )


def _places(spec: ModelSpec) -> tuple[str, ...]:
    """What is read from somewhere."""
    match spec.kind:
        case ModelKind.REPLAY:
            # always a file, whether it is there or not
            return (f"/{spec.name}",)
        case ModelKind.HF | ModelKind.NANO:
            return (spec.name, spec.adapter or "")
        case _:
            return ()


def _is_file(place: str) -> bool:
    if not place or place.startswith(ARTIFACT):
        return False
    # an id of the hub looks like a relative path
    return place.startswith((".", "/", "~", "\\")) or Path(place).exists()
