"""`--verify` and `--tests`: an answer that passes in the sandbox, or none."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crucible_api.cli.asking_options import Asking
from crucible_api.cli.output import Voice, plural
from crucible_infra.errors import InvalidInput, NotVerified

if TYPE_CHECKING:
    from crucible_api.cli.ask import Asked
    from crucible_api.cli.told_answer import ToldAnswer
    from crucible_api.verified_answer import Judged
    from crucible_tasks.answering import AnswerRequest
    from crucible_tasks.challenge import Challenge

#: bytes of tests that are shown to the model; more would leave no room for its answer
_MOST_SHOWN = 16_384


@dataclass(frozen=True, slots=True)
class _Attempt:
    request: AnswerRequest
    told: ToldAnswer
    judged: Judged


def challenge_of(asking: Asking, prompt: str, voice: Voice) -> Challenge:
    """The tests an answer to this prompt is put to: those of the file, or the prompt's examples.

    Raises InvalidInput where there are none.
    """
    if asking.tests is not None:
        from crucible_tasks.user_tests import read_tests

        return read_tests(asking.tests, prompt)
    from crucible_tasks.prompt_examples import examples_in

    found = examples_in(prompt)
    if found is None:
        raise InvalidInput(
            "--verify finds no example in the prompt",
            hint="show one, like: add(1, 2) -> 3, or name a file: --tests tests.py",
        )
    voice.talk(f"answers must pass {plural(len(found.shown), 'example')} of the prompt")
    for shown in found.shown:
        voice.talk(f"  {shown}")
    return found.challenge(prompt)


def instruction(asking: Asking, challenge: Challenge) -> str:
    """What a chat model is told beside the prompt: what it must define, and the tests it knows."""
    from pathlib import Path

    asked = f"Define {challenge.entry_point}."
    if asking.tests is None:
        return asked
    tests = Path(asking.tests).read_text(encoding="utf-8-sig")
    if len(tests) > _MOST_SHOWN:
        return asked
    return f"{asked} These tests must pass:\n\n```{challenge.language}\n{tests.rstrip()}\n```"


def run(asked: Asked, challenge: Challenge) -> None:
    """Draw answers until one passes; only that one is shown. Raises NotVerified."""
    from crucible_api.cli.plain_screen import HiddenScreen
    from crucible_api.cli.status_line import StatusLine
    from crucible_api.cli.told_answer import ToldAnswer
    from crucible_api.verified_answer import Verifier, drawn

    verifier = Verifier(challenge)
    attempts: list[_Attempt] = []
    for number in range(asked.asking.tries):
        request = drawn(asked.request, number)
        waiting = StatusLine() if asked.voice.has_bar else None
        told = ToldAnswer(HiddenScreen(asked.voice), waiting=waiting)
        asked_at = time.time()
        end = told.tell(asked.answerer.answer(request))
        judged = verifier.judge(asked.whole(told), end.finish)
        attempts.append(_Attempt(request, told, judged))
        asked.voice.talk(f"answer {number + 1}: {_words(judged)}")
        if judged.has_passed:
            break
    last = attempts[-1]
    # what is logged and told is the answer that was drawn last
    asked = replace(asked, request=last.request)
    conversation_id = asked.remember(last.told, asked_at)
    _tell_mode(attempts, asked.voice)
    report = _plain(attempts) if asked.voice.is_json else None
    if last.judged.has_passed:
        asked.voice.talk(f"verified: {_ordinal(attempts, asked.asking.tries)}")
        asked.deliver(last.told, conversation_id, code=last.judged.program, verification=report)
        return
    if report is not None:
        asked.voice.data({"conversation": conversation_id, **report})
    raise NotVerified(_nothing_passes(attempts), hint=_last_words(last.judged))


def _ordinal(attempts: list[_Attempt], most: int) -> str:
    count = len(attempts)
    return f"the first answer passes (1 of at most {most})" if count == 1 else (
        f"answer {count} of at most {most} passes"
    )  # fmt: skip


def _words(judged: Judged) -> str:
    """A verdict on one line, whatever its detail holds."""
    return judged.verdict.outcome.words(" ".join(judged.verdict.detail.split()))


def _nothing_passes(attempts: list[_Attempt]) -> str:
    counts = Counter(each.judged.verdict.outcome.words() for each in attempts)
    found = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return f"none of {plural(len(attempts), 'answer')} passes: {found}"


def _last_words(judged: Judged) -> str:
    return (
        f"the last one: {_words(judged)}\n"
        "-n draws more of them; crucible logs show latest prints the last"
    )


def _tell_mode(attempts: list[_Attempt], voice: Voice) -> None:
    if any(each.judged.verdict.mode == "shared" for each in attempts):
        voice.warn(
            "these tests need the program's own classes or output, so they ran beside it, where a "
            "program that wants to can forge its verdict"
        )
    if attempts[-1].judged.isolation == "process":
        voice.warn("the sandbox is `process`, which keeps no program from this host")


def _plain(attempts: list[_Attempt]) -> dict[str, object]:
    return {
        "verified": attempts[-1].judged.has_passed,
        "attempts": [
            {
                "seed": each.request.seed,
                "temperature": each.request.sampling.temperature,
                "outcome": str(each.judged.verdict.outcome),
                "detail": each.judged.verdict.detail,
                "mode": str(each.judged.verdict.mode),
                "isolation": each.judged.isolation,
                "cpu_seconds": each.judged.verdict.cpu_seconds,
                "program": each.judged.program,
                "answer": each.told.text,
            }
            for each in attempts
        ],
    }
