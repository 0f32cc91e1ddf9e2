"""The commands of a chat: /model /save /run /fix /bench /clear /help /exit."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crucible_api.cli.chat_talk import Talk
from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Voice
from crucible_api.cli.registered_names import with_names
from crucible_infra.errors import InvalidInput

if TYPE_CHECKING:
    from crucible_tasks.execution import Execution

_COMMAND = re.compile(r"/([A-Za-z]+)(?:\s+(.*))?\Z", re.DOTALL)

#: what comes with the program, and is done within a minute or two
_DATASET, _LIMIT = "starter", "20"

#: characters of what a program printed that a model is told
_MOST_TOLD = 4000

_HELP = """\
/run              run the last code block in the sandbox
/fix              tell the model how it failed, and have it corrected
/save FILE [-f]   write the last code block to a file; -f replaces it
/model [SPEC]     say who answers, or let another model go on
/bench [DATASET]  a small benchmark of this model, starter unless named
/clear            begin a new conversation
/exit             leave, as Ctrl-D does
Three double quotes open and close a prompt of many lines; Alt-Enter begins a new one."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A program that was run, and what came of it."""

    program: str
    done: Execution


class Commands:
    """Does what begins with a slash."""

    def __init__(self, talk: Talk, voice: Voice) -> None:
        self._talk = talk
        self._voice = voice
        self._last: _Run | None = None
        self._by_name: dict[str, Callable[[str], None]] = {
            "run": self._run,
            "fix": self._fix,
            "save": self._save,
            "model": self._model,
            "bench": self._bench,
            "clear": self._clear,
            "help": self._help,
            "exit": self._exit,
            "quit": self._exit,
        }

    def take(self, text: str) -> bool:
        """Do it, if it is a command.

        Raises InvalidInput for one that is not known, and EOFError where the user leaves.
        """
        found = _COMMAND.match(text.strip())
        if found is None:
            return False
        command = self._by_name.get(found[1].lower())
        if command is None:
            raise InvalidInput(
                f"there is no command /{found[1]}",
                hint=f"/help lists them; //{found[1]} says it to the model",
            )
        command((found[2] or "").strip())
        return True

    def _run(self, words: str) -> None:
        if words:
            raise InvalidInput("/run takes no words", hint="it runs the last code block")
        from crucible_api.sandbox_work import ask_sandbox
        from crucible_tasks.execution import EXECUTION, ExecutionRequest
        from crucible_tasks.extraction.last_program import last_program

        found = last_program(self._talk.answer)
        if found is None:
            raise InvalidInput(
                "the last answer has no Python or JavaScript to run", hint="ask for some code first"
            )
        done = ask_sandbox(EXECUTION, ExecutionRequest(found.language, found.source))
        self._last = _Run(found.source, done)
        self._show(done)

    def _show(self, done: Execution) -> None:
        for text in (done.stdout, done.stderr):
            if text:
                self._voice.answer(harmless(text).rstrip("\n"))
        if done.failure is not None:
            raise InvalidInput(done.failure, hint="crucible doctor says what is missing here")
        printed = "" if done.stdout or done.stderr else ", and printed nothing"
        where = "" if done.isolation != "process" else " (nothing keeps it from this host)"
        self._voice.announce(f"[{_verdict(done)}{printed}; {done.cpu_seconds:.2f} s of CPU{where}]")

    def _fix(self, words: str) -> None:
        from crucible_tasks.extraction.last_program import last_program

        found = last_program(self._talk.answer)
        if self._last is None or found is None or found.source != self._last.program:
            self._run("")
        assert self._last is not None
        if self._last.done.outcome == "passed" and not words:
            raise InvalidInput(
                "the last run ended well, so there is nothing to fix",
                hint="/fix WORDS says what is wrong with it",
            )
        self._talk.say(_complaint(self._last.done, words))

    def _save(self, words: str) -> None:
        from crucible_api.cli import code_file, files
        from crucible_tasks.file_languages import language_of

        names = _split(words)
        is_forced = "-f" in names[1:] or "--force" in names[1:]
        if not names or len(names) - is_forced != 1:
            raise InvalidInput("/save takes the name of one file", hint="/save fizz.py")
        if not self._talk.answer:
            raise InvalidInput("there is no answer to save yet")
        files.check_writable(names[0], is_forced=is_forced, makes_parents=True, force="-f")
        code = code_file.code_of(self._talk.answer, language_of(names[0]), self._talk.finish)
        code_file.write(names[0], code, self._voice, is_forced=is_forced)

    def _model(self, words: str) -> None:
        if words:
            from crucible_api.cli.answering_model import open_model

            self._talk.change_model(open_model(words, self._voice))
        identity = self._talk.answerer.identity()
        self._voice.announce(f"{with_names(identity.spec)} on {identity.server}")

    def _bench(self, words: str) -> None:
        dataset, *rest = _split(words) or [_DATASET]
        if rest:
            raise InvalidInput("/bench takes one dataset", hint="crucible benchmark takes more")
        spec = with_names(self._talk.answerer.identity().spec)
        self._voice.talk(f"crucible benchmark -m {spec} -d {dataset} --limit {_LIMIT}")
        # a process of its own: its workers, its signals and its failures are not the chat's
        words_of = ("benchmark", "-m", spec, "-d", dataset, "--limit", _LIMIT)
        with subprocess.Popen([sys.executable, "-m", "crucible_api", *words_of]) as child:  # noqa: S603
            try:
                child.wait()
            except KeyboardInterrupt:
                # the terminal has told it too
                child.wait()
                raise

    def _clear(self, words: str) -> None:
        del words
        self._talk.clear()
        self._last = None
        self._voice.announce("a new conversation; crucible logs keeps the old one")

    def _help(self, words: str) -> None:
        del words
        self._voice.announce(_HELP)

    def _exit(self, words: str) -> None:
        del words
        # as Ctrl-D does
        raise EOFError


def _verdict(done: Execution) -> str:
    """How a program ended, in words."""
    if done.outcome == "passed":
        return "ended well"
    return done.outcome.words(done.detail)


def _complaint(done: Execution, words: str) -> str:
    """What the model is told about its program."""
    said = words or f"The program failed: {_verdict(done)}"
    printed = (done.stderr or done.stdout)[-_MOST_TOLD:].strip()
    shown = f"\n\n```text\n{printed}\n```" if printed else ""
    return f"{said}{shown}\n\nReply with the whole corrected program in one fenced code block."


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError as error:
        raise InvalidInput(f"{words}: {error}") from error
