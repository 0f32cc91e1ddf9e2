"""The conversation of a chat: what was said, who answers, and what is logged of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from crucible_api.cli.chat_screen import open_screen
from crucible_api.cli.output import Voice
from crucible_api.cli.registered_names import with_names
from crucible_api.cli.told_answer import ToldAnswer
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import current
from crucible_tasks.answering import ROUTER, Answerer, AnswerRequest
from crucible_tasks.completion import Finish
from crucible_tasks.generation import Message
from crucible_tasks.sampling import Sampling, any_seed, later_seed

if TYPE_CHECKING:
    from crucible_api.conversations import Conversation


class Talk:
    """One conversation after the other, with one model after the other."""

    def __init__(
        self,
        answerer: Answerer,
        sampling: Sampling,
        voice: Voice,
        *,
        seed: int | None = None,
        is_logged: bool = True,
    ) -> None:
        self.answerer = answerer
        #: the last answer, as far as it came
        self.answer = ""
        self.finish = Finish.STOP
        self._sampling = sampling
        self._voice = voice
        self._seed = any_seed() if seed is None else seed
        self._is_logged = is_logged
        self._system: str | None = None
        self._turns: list[Message] = []
        self._id: str | None = None

    def begin(self, system: str | None, begun: Conversation | None = None) -> None:
        """Start anew, or where a logged conversation ended."""
        self._system = system or (begun.system if begun else current().system)
        self._turns = list(begun.messages) if begun else []
        self._id = begun.id if begun else None
        answers = [turn.content for turn in self._turns if turn.role == "assistant"]
        self.answer = answers[-1] if answers else ""
        self.finish = Finish.STOP
        if begun:
            self._voice.talk(f"going on with {begun.id}: {begun.title}")

    def clear(self) -> None:
        """Forget what was said; the log keeps it."""
        self.begin(self._system)

    def change_model(self, answerer: Answerer) -> None:
        """Let another model go on."""
        self.answerer.close()
        self.answerer = answerer

    def close(self) -> None:
        """Let go of the model."""
        self.answerer.close()

    def say(self, text: str) -> None:
        """Put a prompt and show its answer.

        Raises KeyboardInterrupt when the user stops it and ModelError when the model fails; what
        was said until then stays, in the log and in the conversation.
        """
        system = [Message("system", self._system)] if self._system else []
        asked = Message("user", text)
        request = AnswerRequest((*system, *self._turns, asked), self._sampling, self._seed)
        self._seed = later_seed(self._seed, 1)
        told, asked_at, why = ToldAnswer(open_screen(self._voice)), time.time(), ""
        try:
            self._hear(request, told)
        except BaseException as error:
            why = "failed" if isinstance(error, CrucibleError) else "interrupted"
            raise
        finally:
            if told.text:
                self._turns += [asked, Message("assistant", told.text)]
                self.answer = told.text
                self.finish = told.end.finish if told.end else Finish.OTHER
                self._log(request, told, asked_at, why)

    def _hear(self, request: AnswerRequest, told: ToldAnswer) -> None:
        end = told.tell(self.answerer.answer(request))
        if end.finish is Finish.LENGTH:
            self._voice.warn("the answer was cut off at its limit; --max-tokens raises it")
        if self.answerer.identity().server == ROUTER:
            self._voice.talk(f"({with_names(end.model.spec)})")

    def _log(self, request: AnswerRequest, told: ToldAnswer, asked_at: float, why: str) -> None:
        if not self._is_logged:
            return
        from crucible_api.cli.remembering import remember
        from crucible_api.conversations import Exchange

        exchange = Exchange(
            title=request.messages[-1].content,
            request=request,
            model=self.answerer.identity(),
            answer=told.text,
            reasoning=told.reasoning,
            asked_at=asked_at,
            end=None if why else told.end,
            why=why,
        )
        self._id = remember(exchange, self._id, self._voice)
