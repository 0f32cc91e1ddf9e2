"""`crucible doctor`: what on this host makes results unsafe or unreliable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice, plural
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.evaluation import BuildingBlock, HostCheck, HostReport

COLUMNS = (Column("", style="bold"), Column("check"), Column("found"))
BLOCK_COLUMNS = (Column("", style="bold"), Column("building block"), Column("found"))
HELD_COLUMNS = (
    Column("", style="bold"),
    Column("topic"),
    Column("language", is_extra=True),
    Column("check"),
    Column("verdict", is_extra=True),
)

#: seconds for the sandbox's own checks; a cluster's evaluation workers may be busy
_SANDBOX_SECONDS = 120.0

EPILOG = """\b
Examples:
  crucible doctor
  crucible doctor --sandbox                       # every attack and promise by name
  crucible doctor --json | jq '.checks[] | select(.is_ok | not)'

Exit code 1 when something makes results unsafe or unreliable. In a cluster the sandbox is checked
on whichever evaluation worker answers. With CRUCIBLE_SERVER the server is asked whether it lets
this host in and which version it is; --sandbox is about this host, which builds private benchmarks.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--sandbox",
    "is_about_sandbox",
    is_flag=True,
    help="Only the sandbox: what it is built from here, and every check by name.",
)
@options.speaking
def command(voice: Voice, *, is_about_sandbox: bool) -> None:
    """Check the sandbox, the database, the broker, the disk, the clock and the load."""
    from crucible_api.cli import host_checks
    from crucible_tasks.drained import drained_checks

    if is_about_sandbox:
        _examine_sandbox(voice)
        return
    checks = [*host_checks.local_checks(), *drained_checks()]
    if current().server is None:
        checks += _sandbox_checks(voice)
    else:
        voice.talk("this host alone: crucible doctor on the server's tells of its sandbox")
    if voice.is_json:
        found = {"is_ok": not _problems(checks), "checks": [_fields(check) for check in checks]}
        voice.data(found)
    else:
        voice.table(COLUMNS, _rows(checks))
    _fail_for(_problems(checks))


def _examine_sandbox(voice: Voice) -> None:
    """Everything by name. Raises CrucibleError when something does not hold."""
    report = _ask(voice, is_detailed=True)
    problems = _problems(report.checks)
    if voice.is_json:
        is_ok = not problems and report.problem is None
        voice.data({"is_ok": is_ok, **asdict(report)})
    else:
        voice.table(BLOCK_COLUMNS, _block_rows(report.blocks))
        if report.checks:
            voice.answer("")
            voice.table(HELD_COLUMNS, _held_rows(report.checks))
            held = len(report.checks) - len(problems)
            voice.talk(f"{held} of {len(report.checks)} hold on {report.host}")
    if report.problem is not None:
        raise CrucibleError(report.problem, hint=report.hint)
    _fail_for(problems)


def _ask(voice: Voice, *, is_detailed: bool) -> HostReport:
    """What an evaluation worker says about its host. Raises CrucibleError when none answers."""
    from crucible_api.cli.hands import hands
    from crucible_tasks.evaluation import HOST, QUEUE, HostRequest
    from crucible_tasks.sending import send_and_wait
    from crucible_tasks.served import demand_worker

    with hands(voice):
        if not current().is_embedded:
            # a busy worker is waited for, and not one that nobody has started
            demand_worker(QUEUE)
        return send_and_wait(HOST, HostRequest(is_detailed=is_detailed), _SANDBOX_SECONDS)


def _sandbox_checks(voice: Voice) -> Sequence[HostCheck]:
    """The sandbox by topic; a worker that cannot answer is a finding."""
    from crucible_tasks.evaluation import HostCheck

    try:
        report = _ask(voice, is_detailed=False)
    except CrucibleError as error:
        detail = f"{error.message} ({error.hint})" if error.hint else error.message
        return [HostCheck("sandbox", is_ok=False, detail=detail)]
    if report.problem is not None:
        detail = f"{report.problem} ({report.hint})"
        return [HostCheck("sandbox", is_ok=False, detail=detail)]
    return report.checks


def _problems(checks: Sequence[HostCheck]) -> list[HostCheck]:
    return [check for check in checks if not check.is_ok]


def _fail_for(problems: Sequence[HostCheck]) -> None:
    if problems:
        names = ", ".join(check.name for check in problems)
        raise CrucibleError(f"{plural(len(problems), 'problem')}: {names}")


def _fields(check: HostCheck) -> dict[str, object]:
    """Without what only a detailed report has."""
    return {"name": check.name, "is_ok": check.is_ok, "detail": check.detail}


def _rows(checks: Sequence[HostCheck]) -> list[list[str]]:
    return [["ok" if check.is_ok else "PROBLEM", check.name, check.detail] for check in checks]


def _held_rows(checks: Sequence[HostCheck]) -> list[list[str]]:
    return [
        [
            "held" if check.is_ok else "NOT HELD",
            check.topic or "sandbox",
            check.language or "",
            check.name,
            check.detail,
        ]
        for check in checks
    ]


def _block_rows(blocks: Sequence[BuildingBlock]) -> list[list[str]]:
    return [[_standing(block), block.name, block.found] for block in blocks]


def _standing(block: BuildingBlock) -> str:
    if block.is_there:
        return "there"
    return "MISSING" if block.is_needed else "absent"
