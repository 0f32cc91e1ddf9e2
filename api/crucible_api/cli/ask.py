"""`crucible ask`, and every `crucible "prompt"`: one question, its answer as it comes."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import asking_options, files, options, piped
from crucible_api.cli.asking_options import Asking
from crucible_api.cli.output import Voice
from crucible_api.cli.prompt_group import refuse_slip
from crucible_infra.errors import CrucibleError, InvalidInput, NoCode
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.cli.told_answer import ToldAnswer
    from crucible_api.conversations import Conversation, Exchange
    from crucible_tasks.answering import Answerer, AnswerRequest
    from crucible_tasks.challenge import Challenge

EPILOG = """\b
Examples:
  crucible "a regular expression for ISO dates"
  crucible fix the bug -f main.py -x > fixed.py
  git diff | crucible "write a commit message"
  crucible "a React button" --output src/components/Button.jsx
  crucible ask -c "and now with tests"
  crucible "a slugify function" --tests test_slug.py -o slug.py
  crucible -- benchmark                    a prompt that is a command's name

The answer goes to stdout, reasoning and everything else to stderr. Every exchange is logged in
the database (crucible logs) unless --no-log is given.
"""


@click.command(name="ask", epilog=EPILOG)
@click.argument("words", metavar="[PROMPT]…", nargs=-1)
@asking_options.asking
@options.speaking
def command(voice: Voice, *, words: tuple[str, ...], **given: Any) -> None:
    """Put a prompt to a model. Piped text and files go along with it."""
    asking = Asking(**given)
    if asking.is_interactive:
        _chat(words, asking, voice)
        return
    is_piped = asking.reads_stdin
    refuse_slip(click.get_current_context(), words, is_piped=is_piped)
    files.check_writable(
        asking.output, is_forced=asking.is_forced, is_json=voice.is_json, makes_parents=True
    )
    prompt = _prompt(words, asking, voice)
    challenge = _tests(asking, prompt, voice)
    conversation = _continued(asking)
    model = asking.model or (conversation.model if conversation else None)
    from crucible_api.cli.answering_model import open_model

    with closing(open_model(model, voice)) as answerer:
        request = _request(prompt, asking, answerer, conversation, challenge)
        asked = Asked(voice, asking, prompt, request, answerer, conversation)
        if challenge is None:
            asked.run()
        else:
            from crucible_api.cli import verifying

            verifying.run(asked, challenge)


def _chat(words: tuple[str, ...], asking: Asking, voice: Voice) -> None:
    """Let `chat` go on with what was asked here. Raises click.UsageError."""
    if asking.wants_code or asking.verifies or asking.files or voice.is_json:
        raise click.UsageError(
            "--interactive goes with none of -x, -o, -f, --json, --verify and --tests\n"
            "in a chat, /save writes code to a file and /run runs it"
        )
    from crucible_api.cli import chat

    wish = chat.Wish(
        model=asking.model,
        system=asking.system,
        conversation=asking.conversation,
        sampling=asking.sampling,
        seed=asking.seed,
        is_logged=asking.is_logged,
    )
    chat.start(wish, " ".join(words), voice)


def _prompt(words: tuple[str, ...], asking: Asking, voice: Voice) -> str:
    """The message to send, with what is piped and the files. Raises InvalidInput."""
    from crucible_api.cli import prompt_text

    typed = " ".join(words)
    is_stdin = typed == "-"
    typed = "" if is_stdin else typed
    text = None
    if asking.reads_stdin or is_stdin:
        is_patient = asking.stdin is True or not typed
        data = piped.read(asking.max_stdin, voice, is_patient=is_patient)
        text = prompt_text.decoded(data, "stdin")
    named = [(name, prompt_text.read_file(name, asking.max_stdin)) for name in asking.files]
    message = prompt_text.message(typed, text, named)
    if not message.strip():
        what = "stdin is empty" if text is not None else "no prompt was given"
        raise InvalidInput(
            f"{what}, so there is nothing to ask", hint='crucible "a question", or pipe one'
        )
    return message


def _tests(asking: Asking, prompt: str, voice: Voice) -> Challenge | None:
    if not asking.verifies:
        return None
    from crucible_api.cli import verifying

    return verifying.challenge_of(asking, prompt, voice)


def _continued(asking: Asking) -> Conversation | None:
    if asking.conversation is None:
        return None
    from crucible_api.conversations import open_conversations
    from crucible_infra.settings import current

    return open_conversations(current()).find(asking.conversation)


def _request(
    prompt: str,
    asking: Asking,
    answerer: Answerer,
    conversation: Conversation | None,
    challenge: Challenge | None = None,
) -> AnswerRequest:
    from crucible_api.cli.code_file import instruction
    from crucible_tasks.answering import AnswerRequest
    from crucible_tasks.generation import Message
    from crucible_tasks.sampling import any_seed

    # a base model continues text and follows no instruction
    if answerer.identity().style == "chat":
        if challenge is not None:
            from crucible_api.cli import verifying

            prompt = f"{prompt}\n\n{verifying.instruction(asking, challenge)}"
        if asking.wants_code or challenge is not None:
            prompt = f"{prompt}\n\n{instruction(asking.language)}"
    system = asking.system or (conversation.system if conversation else current().system)
    turns = [Message("system", system)] if system else []
    turns += conversation.messages if conversation else ()
    seed = any_seed() if asking.seed is None else asking.seed
    messages = (*turns, Message("user", prompt))
    return AnswerRequest(messages, asking.sampling, seed, wants_code=asking.wants_code)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question under way."""

    voice: Voice
    asking: Asking
    prompt: str
    request: AnswerRequest
    answerer: Answerer
    conversation: Conversation | None

    def run(self) -> None:
        """Answer, remember, and only then make of the answer what was asked for."""
        from crucible_api.cli.plain_screen import HiddenScreen, PlainScreen, is_terminal
        from crucible_api.cli.status_line import StatusLine
        from crucible_api.cli.told_answer import ToldAnswer
        from crucible_tasks.answering import ROUTER

        is_shown = not (self.asking.wants_code or self.voice.is_json)
        screen = PlainScreen(self.voice) if is_shown else HiddenScreen(self.voice)
        # a terminal's reader sees that an answer begins anew; a file's content cannot be undone
        is_held = self.answerer.identity().server == ROUTER and not is_terminal()
        is_silent = self.voice.has_bar and (is_held or not is_shown)
        waiting = StatusLine() if is_silent else None
        told = ToldAnswer(screen, is_held=is_held, waiting=waiting)
        asked_at = time.time()
        try:
            told.tell(self.answerer.answer(self.request))
        except BaseException as error:
            # a reader that left or a Ctrl-C stops an answer; what was said is kept
            if told.text:
                is_failure = isinstance(error, CrucibleError)
                self.remember(told, asked_at, "failed" if is_failure else "interrupted")
            raise
        conversation_id = self.remember(told, asked_at)
        self.deliver(told, conversation_id)

    def remember(self, told: ToldAnswer, asked_at: float, why: str = "") -> str | None:
        """Log the exchange, if it shall be; the conversation's id."""
        if not self.asking.is_logged:
            return None
        from crucible_api.cli.remembering import remember

        continued = self.conversation.id if self.conversation else None
        return remember(_exchange(self, told, asked_at, why), continued, self.voice)

    def deliver(
        self,
        told: ToldAnswer,
        conversation_id: str | None,
        *,
        code: str | None = None,
        verification: dict[str, object] | None = None,
    ) -> None:
        """Make of the answer what was asked for; `code` is what was verified of it."""
        from crucible_api.cli import answer_report

        is_hidden = code is not None and not self.asking.wants_code
        if code is not None:
            code = code if code.endswith("\n") else f"{code}\n"
        elif self.asking.wants_code:
            code = self._code(told)
        elif self.voice.is_json:
            # a program is told both, and asked for none
            with suppress(NoCode):
                code = self._code(told)
        if self.asking.output is not None:
            assert code is not None
            from crucible_api.cli.code_file import write

            write(self.asking.output, code, self.voice, is_forced=self.asking.is_forced)
        if self.voice.is_json:
            plain = answer_report.plain(self.request, told, code, conversation_id)
            self.voice.data({**plain, **(verification or {})})
        elif is_hidden:
            answer_report.show(told.text)
        elif code is not None and self.asking.output is None:
            answer_report.show(code)
        answer_report.tell(self.voice, self.asking, self.request, told)

    def _code(self, told: ToldAnswer) -> str:
        from crucible_api.cli.code_file import code_of
        from crucible_tasks.file_languages import PYTHON

        assert told.end is not None
        language = self.asking.language
        if self.answerer.identity().style == "base":
            # nothing is fenced there
            language = language or PYTHON
        try:
            return code_of(self.whole(told), language, told.end.finish)
        except NoCode as error:
            if self.asking.output is not None or not current().extract:
                raise
            # whoever did not write -x may not know of it
            hint = f"{error.hint}\nextract is configured; CRUCIBLE_EXTRACT=0 prints answers whole"
            raise NoCode(error.message, hint=hint) from error

    def whole(self, told: ToldAnswer) -> str:
        """The answer, with what it continues where a base model gave it."""
        if self.answerer.identity().style == "base":
            # what was continued is the beginning of the program
            return self.request.messages[-1].content + told.text
        return told.text


def _exchange(asked: Asked, told: ToldAnswer, asked_at: float, why: str) -> Exchange:
    from crucible_api.conversations import Exchange

    return Exchange(
        title=asked.prompt,
        request=asked.request,
        model=asked.answerer.identity(),
        answer=told.text,
        reasoning=told.reasoning,
        asked_at=asked_at,
        end=None if why else told.end,
        why=why,
    )
