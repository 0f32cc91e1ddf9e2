"""Options that several commands share, as decorators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import click

from crucible_api.cli.output import Speaker, Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current, prefer

Command = Callable[..., Any]

#: a RUN argument means the same everywhere
RUN_HELP = "RUN is a run's id, its beginning, its last four characters, or `latest`."


@dataclass(frozen=True, slots=True)
class Gate:
    """The lowest pass@k that counts as success."""

    k: int
    minimum: float
    #: whether a samples file may leave challenges out
    allows_partial: bool = False

    @property
    def name(self) -> str:
        """As users type it: pass@1."""
        return f"pass@{self.k}"


def speaking(function: Command) -> Command:
    """Give a command `--json --quiet --color --debug --profile`, and the Voice they make.

    The Voice is the first argument. On every command and not on the group, so that the order of
    words never matters.
    """

    @click.option("--profile", metavar="NAME", help="Settings of [profiles.NAME] in your files.")
    @functools.wraps(function)
    def speak(voice: Voice, *, profile: str | None, **rest: Any) -> Any:
        if profile is not None:
            prefer("CRUCIBLE_PROFILE", profile)
        # here rather than earlier, so that help is to be had with a misspelled setting
        current().check()
        for note in current().notes:
            voice.warn(note)
        return function(voice, **rest)

    return voiced(speak)


def on_this_host(function: Command) -> Command:
    """Let a command refuse where CRUCIBLE_SERVER names another host; stands below `speaking`."""

    @functools.wraps(function)
    def refuse(*words: Any, **rest: Any) -> Any:
        if current().server is not None:
            path = click.get_current_context().command_path
            raise InvalidInput(
                f"{path} works on this host, and CRUCIBLE_SERVER names another",
                hint=f"unset CRUCIBLE_SERVER, or type it on the host of {current().server}",
            )
        return function(*words, **rest)

    return refuse


def voiced(function: Command) -> Command:
    """The same for a command that must work with whatever files of configuration say."""

    @click.option("--json", "is_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("-q", "--quiet", "is_quiet", is_flag=True, help="No progress and no talk.")
    @click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colour; auto asks NO_COLOR, FORCE_COLOR and the terminal.",
    )
    # read by dispatch, which catches what the command raises
    @click.option("--debug", is_flag=True, expose_value=False, help="Show a failure's traceback.")
    @functools.wraps(function)
    def speak(*, is_json: bool, is_quiet: bool, color: str, **rest: Any) -> Any:
        voice = Voice(is_json=is_json, is_quiet=is_quiet, color=color)
        # dispatch reports failures in the same voice
        click.get_current_context().ensure_object(Speaker).voice = voice
        return function(voice, **rest)

    return speak


def limits(function: Command) -> Command:
    """Give a command `--cpu-seconds` and `--memory-mib`; None keeps the challenge's own."""
    cpu = click.option(
        "--cpu-seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="S",
        help="CPU time one program may use.  [default: the challenge's own, usually 3]",
    )
    memory = click.option(
        "--memory-mib",
        type=click.IntRange(min=16),
        metavar="M",
        help="Memory one program may use.  [default: the challenge's own, usually 4096]",
    )
    return cpu(memory(function))


def ks(function: Command) -> Command:
    """Give a command `-k 1,10`; several are split at commas and sorted."""
    return click.option(
        "-k",
        "--k",
        "ks",
        multiple=True,
        callback=_read_ks,
        metavar="K[,K]…",
        help="Which pass@k to report.  [default: those of 1, 10, 100 that n allows]",
    )(function)


def gate(function: Command) -> Command:
    """Give a command `--fail-under pass@1=0.35` and `--allow-partial`, as one argument `gate`."""

    @click.option(
        "--fail-under",
        "gate",
        callback=_read_gate,
        metavar="pass@K=SCORE",
        help="Exit 3 when a score is below this, like 0.35 or 35%.",
    )
    @click.option(
        "--allow-partial",
        is_flag=True,
        help="Let --fail-under judge a samples file that leaves challenges out; else exit 4.",
    )
    @functools.wraps(function)
    def demand(*words: Any, gate: Gate | None, allow_partial: bool, **rest: Any) -> Any:
        if gate is not None:
            gate = replace(gate, allows_partial=allow_partial)
        return function(*words, gate=gate, **rest)

    return demand


def output(what: str) -> Callable[[Command], Command]:
    """Give a command `--output FILE` and `--force`; `what` says what the file holds."""

    def decorate(function: Command) -> Command:
        target = click.option(
            "-o", "--output", metavar="FILE", help=f"{what} `-` is stdout, without the table."
        )
        force = click.option(
            "--force", "is_forced", is_flag=True, help="Replace the file if it exists."
        )
        return target(force(function))

    return decorate


def run(function: Command) -> Command:
    """Give a command the argument RUN."""
    return click.argument("run", metavar="RUN")(function)


def _read_ks(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[int, ...]:
    words = [word.strip() for text in value for word in text.split(",")]
    found = set()
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise click.BadParameter(
                f"'{word}' is not a positive number", ctx=context, param=parameter
            )
        found.add(int(word))
    return tuple(sorted(found))


def _read_gate(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> Gate | None:
    if value is None:
        return None
    name, _, score = value.partition("=")
    k = name.removeprefix("pass@")
    try:
        minimum = float(score.removesuffix("%")) / (100 if score.endswith("%") else 1)
    except ValueError:
        minimum = -1.0
    if not name.startswith("pass@") or not k.isdecimal() or int(k) < 1 or not 0 <= minimum <= 1:
        raise click.BadParameter(
            f"'{value}' is not of the form pass@1=0.35", ctx=context, param=parameter
        )
    return Gate(int(k), minimum)
