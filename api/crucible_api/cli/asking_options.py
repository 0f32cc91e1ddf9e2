"""The options of everything that asks a model: `ask`, and whatever else puts a prompt."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import files, piped
from crucible_api.cli.options import Command
from crucible_infra.settings import current
from crucible_tasks.file_languages import FileLanguage, language_of

if TYPE_CHECKING:
    from crucible_tasks.sampling import Sampling

#: little chance: people want the answer that the model holds best
_TEMPERATURE = 0.2

#: tokens of an answer; a long file of code has some 3000
_MAX_TOKENS = 4096

#: of a model that is right every second time, one of five is in 97 of 100 cases; a person waits
_TRIES = 5
_MOST_TRIES = 100

#: of piped text, and of each file: more than any context holds
_MAX_STDIN = "2M"

_SIZE = re.compile(r"(?P<number>\d+)(?P<unit>[kKmMgG]?)(?:i?[bB])?")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}

#: a seed below is "random" to some servers, one above is cut off by others
_SEEDS = click.IntRange(1, 2**31 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a prompt is put and what is done with the answer."""

    model: str | None
    system: str | None
    files: tuple[str, ...]
    output: str | None
    is_forced: bool
    extracts: bool
    #: an id, `latest`, or None for a new one
    conversation: str | None
    seed: int | None
    max_tokens: int
    temperature: float
    is_logged: bool
    #: True waits for ever, False never reads, None looks whether there is something
    stdin: bool | None
    #: bytes
    max_stdin: int
    shows_usage: bool
    #: whether a conversation follows
    is_interactive: bool = False
    #: a file that an answer must pass
    tests: str | None = None
    #: whether an answer must pass the tests, or the examples in the prompt
    verifies: bool = False
    #: answers to draw until one passes
    tries: int = 1

    @property
    def reads_stdin(self) -> bool:
        """Whether piped text belongs to the prompt."""
        return piped.is_open() if self.stdin is None else self.stdin

    @property
    def wants_code(self) -> bool:
        """Whether only the code of the answer is wanted."""
        return self.extracts or self.output is not None

    @property
    def language(self) -> FileLanguage | None:
        """Of the code that is wanted, where a file's name tells."""
        return language_of(self.output) if self.output else None

    @property
    def sampling(self) -> Sampling:
        """Every sampling option."""
        from crucible_tasks.sampling import Sampling

        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens)


def asking(function: Command) -> Command:
    """Give a command every option of asking; they arrive as the fields of `Asking`."""

    @click.option("-m", "--model", metavar="SPEC", help="Who answers.  [default: see README]")
    @click.option("-s", "--system", metavar="TEXT", help="What the model is told to be.")
    @click.option(
        "-f", "--file", "files", multiple=True, metavar="FILE", help="A file to send; repeatable."
    )
    @click.option("-x", "--extract", "extracts", is_flag=True, help="Print only the code.")
    @click.option(
        "-o", "--output", metavar="FILE", help="Write only the code, in the file's language."
    )
    @click.option("--force", "is_forced", is_flag=True, help="Replace the file if it exists.")
    @conversing
    @sampling_options
    @_verifying
    @click.option(
        "-i", "--interactive", "is_interactive", is_flag=True, help="Go on as crucible chat does."
    )
    @click.option("--no-log", "is_logged", flag_value=False, default=True, help="Log nothing.")
    @click.option(
        "--stdin/--no-stdin", "stdin", default=None, help="Wait for piped text, or never read it."
    )
    @click.option(
        "--max-stdin",
        default=_MAX_STDIN,
        show_default=True,
        callback=_read_size,
        metavar="BYTES",
        help="Most of piped text, and of each file.",
    )
    @click.option("-u", "--usage", "shows_usage", is_flag=True, help="Tell tokens and seconds.")
    @functools.wraps(function)
    def ask(*words: Any, continues: bool, cid: str | None, **rest: Any) -> Any:
        if rest["output"] == files.STDOUT:
            rest |= {"output": None, "extracts": True}
        rest["extracts"] = rest["extracts"] or current().extract
        return function(*words, conversation=cid or ("latest" if continues else None), **rest)

    return ask


def conversing(function: Command) -> Command:
    """Give a command `-c` and `--cid`."""
    latest = click.option(
        "-c", "--continue", "continues", is_flag=True, help="Go on with the latest conversation."
    )
    named = click.option("--cid", metavar="ID", help="Go on with this one; see crucible logs.")
    return latest(named(function))


def _verifying(function: Command) -> Command:
    tests = click.option(
        "--tests", metavar="FILE", help="Draw answers until one passes these tests, in the sandbox."
    )
    verify = click.option(
        "--verify", "verifies", is_flag=True, help="The same with the examples in the prompt."
    )
    tries = click.option(
        "-n",
        "--tries",
        type=click.IntRange(1, _MOST_TRIES),
        metavar="N",
        help=f"Answers to draw at most.  [default: {_TRIES}]",
    )

    @functools.wraps(function)
    def ask(*words: Any, tests: str | None, verifies: bool, tries: int | None, **rest: Any) -> Any:
        verifies = verifies or tests is not None
        if tries is not None and not verifies:
            raise click.UsageError("-n draws answers for --verify or --tests, and neither is given")
        return function(*words, tests=tests, verifies=verifies, tries=tries or _TRIES, **rest)

    return tests(verify(tries(ask)))


def sampling_options(function: Command) -> Command:
    """Give a command `--seed --max-tokens --temperature`."""
    seed = click.option("--seed", type=_SEEDS, metavar="N", help="[default: random]")
    tokens = click.option(
        "--max-tokens",
        type=click.IntRange(min=1),
        default=_MAX_TOKENS,
        show_default=True,
        metavar="N",
        help="Longest answer.",
    )
    temperature = click.option(
        "--temperature",
        type=click.FloatRange(min=0),
        default=_TEMPERATURE,
        show_default=True,
        metavar="T",
        help="How much chance decides.",
    )
    return seed(tokens(temperature(function)))


def _read_size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise click.BadParameter(
            f"'{value}' is not a size like 500k or 4M", ctx=context, param=parameter
        )
    return int(found["number"]) * _UNITS[found["unit"].lower()]
