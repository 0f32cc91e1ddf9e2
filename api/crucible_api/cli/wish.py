"""What the user asked a benchmark for: the flags, over the sweep file, over the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from crucible_api.wish import FILE_NAMES, Wish
from crucible_infra.errors import InvalidInput

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate


def read_wish(context: click.Context, sweep: str | None, given: dict[str, Any]) -> Wish:
    """The command's parameters, with the file's values where no flag was given.

    Raises FormatError, InvalidInput.
    """
    if sweep is None:
        return Wish(**given)
    from crucible_tasks.sweep_file import read_sweep_file

    file = read_sweep_file(sweep)
    of_file = {
        name: value
        for name in given
        # what is about routers is said by flags alone
        if (value := getattr(file, FILE_NAMES.get(name, name), None)) is not None
        and context.get_parameter_source(name) is ParameterSource.DEFAULT
    }
    return Wish(**{**given, **of_file}, file=file, of_file=frozenset(of_file))


def check(wish: Wish, gate: Gate | None) -> None:
    """Refuse what could only disappoint at the end. Raises InvalidInput."""
    wish.check()
    computed = [wish.ks_for(n) for n in wish.chosen_ns]
    if gate is not None and any(gate.k not in ks for ks in computed):
        raise InvalidInput(
            f"--fail-under names {gate.name}, which is not computed",
            hint=f"-k {','.join(map(str, sorted({gate.k}.union(*computed))))}",
        )
