"""A sweep file: what `crucible benchmark` should run, in YAML; every mistake has its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crucible_infra.errors import FormatError, InvalidInput, InvalidModelSpec
from crucible_tasks.flat_file import MAX_BYTES, Key, Kind, number, one_of, read_flat_file, whole
from crucible_tasks.model_spec import parse as parse_model
from crucible_tasks.priority import PRIORITIES

__all__ = ["MAX_BYTES", "SweepFile", "read_sweep_file"]


@dataclass(frozen=True, slots=True)
class SweepFile:
    """What a file asks for; None is what it does not say."""

    #: as the user wrote it
    path: str
    models: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    temperatures: tuple[float, ...] | None = None
    styles: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    n: tuple[int, ...] | None = None
    k: tuple[int, ...] | None = None
    seed: int | None = None
    limit: int | None = None
    priority: int | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    cpu_seconds: float | None = None
    memory_mib: int | None = None
    #: where each key is
    lines: Mapping[str, int] = field(default_factory=dict)
    #: where each value of a list is
    value_lines: Mapping[tuple[str, object], int] = field(default_factory=dict)

    def error_at(self, key: str, error: InvalidInput, value: object = None) -> FormatError:
        """The same error, told as a mistake in this file."""
        line = self.value_lines.get((key, value), self.lines[key])
        found = FormatError.at(self.path, line, f"{key}: {error.message}")
        found.hint = error.hint
        return found


def read_sweep_file(path: str) -> SweepFile:
    """Read and check a sweep file.

    Raises FormatError, which names file, line and key, and InvalidInput for what is no such file.
    """
    found = read_flat_file(path, _SWEEP)
    return SweepFile(path, **found.values, lines=found.lines, value_lines=found.value_lines)


def _model(word: str) -> str:
    try:
        parse_model(word)
    except InvalidModelSpec as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise ValueError(f"a model spec: {error.message}{hint}") from error
    return word


#: the same bounds as the flags of `crucible benchmark`
_KEYS = {
    "models": Key(_model, is_list=True),
    "datasets": Key(str, is_list=True),
    "temperatures": Key(number("a number of at least 0", lambda t: t >= 0), is_list=True),
    "styles": Key(one_of("base", "chat"), is_list=True),
    "prompts": Key(str, is_list=True),
    "n": Key(whole(1), is_list=True),
    "k": Key(whole(1), is_list=True),
    "seed": Key(whole(0, 2**31 - 1)),
    "limit": Key(whole(1)),
    "priority": Key(whole(PRIORITIES.start, PRIORITIES.stop - 1)),
    "top_p": Key(number("a number above 0 and up to 1", lambda p: 0 < p <= 1)),
    "max_tokens": Key(whole(1)),
    "cpu_seconds": Key(number("a number above 0", lambda s: s > 0)),
    "memory_mib": Key(whole(16)),
}

_SWEEP = Kind("sweep", "n: 1", _KEYS)
