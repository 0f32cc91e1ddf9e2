"""`crucible doctor`: what on this host makes results unsafe or unreliable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice, plural
from crucible_infra.errors import CrucibleError

if TYPE_CHECKING:
    from crucible_tasks.evaluation import HostCheck

COLUMNS = (Column("", style="bold"), Column("check"), Column("found"))

#: seconds for the sandbox's own checks; a cluster's evaluation workers may be busy
_SANDBOX_SECONDS = 120.0

EPILOG = """\b
Examples:
  crucible doctor
  crucible doctor --json | jq '.checks[] | select(.is_ok | not)'

Exit code 1 when something makes results unsafe or unreliable. In a cluster the sandbox is checked
on whichever evaluation worker answers.
"""


@click.command(epilog=EPILOG)
@options.speaking
def command(voice: Voice) -> None:
    """Check the sandbox, the database, the broker, the disk, the clock and the load."""
    from crucible_api.cli import host_checks

    checks = [*host_checks.local_checks(), *_sandbox_checks(voice)]
    problems = [check for check in checks if not check.is_ok]
    if voice.is_json:
        found = {"is_ok": not problems, "checks": [asdict(check) for check in checks]}
        voice.data(found)
    else:
        voice.table(COLUMNS, _rows(checks))
    if problems:
        raise CrucibleError(
            f"{plural(len(problems), 'problem')}: {', '.join(check.name for check in problems)}"
        )


def _sandbox_checks(voice: Voice) -> Sequence[HostCheck]:
    """What an evaluation worker says about its host; a worker that cannot answer is a finding."""
    from crucible_api.cli.hands import hands
    from crucible_tasks.evaluation import HOST, HostCheck, HostRequest
    from crucible_tasks.sending import send_and_wait

    try:
        with hands(voice):
            report = send_and_wait(HOST, HostRequest(), _SANDBOX_SECONDS)
    except CrucibleError as error:
        detail = f"{error.message} ({error.hint})" if error.hint else error.message
        return [HostCheck("sandbox", is_ok=False, detail=detail)]
    if report.problem is not None:
        detail = f"{report.problem} ({report.hint})"
        return [HostCheck("sandbox", is_ok=False, detail=detail)]
    return report.checks


def _rows(checks: Sequence[HostCheck]) -> list[list[str]]:
    return [["ok" if check.is_ok else "PROBLEM", check.name, check.detail] for check in checks]
