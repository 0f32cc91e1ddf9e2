"""What a chat is made of: its blocks, its commands, its screen where nothing can be painted."""

from __future__ import annotations

import pytest

from crucible_api.cli.chat_commands import Commands
from crucible_api.cli.chat_screen import blocks_of, open_screen
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_tasks.challenge import Language
from crucible_tasks.extraction.last_program import Program, last_program


@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("one\ntwo", [], "one\ntwo"),
        ("one\n\ntwo", ["one\n"], "two"),
        ("one\n```py\nx\n\ny\n", ["one"], "```py\nx\n\ny\n"),
        ("```py\nx\n\ny\n```\nz", ["```py\nx\n\ny\n```"], "z"),
        ("````\n```\n```\n````\n", ["````\n```\n```\n````"], ""),
        ("~~~\n```\n~~~\nz", ["~~~\n```\n~~~"], "z"),
        ("```\nx\n``` not the end\n", [], "```\nx\n``` not the end\n"),
    ],
)
def test_a_block_is_whole_when_nothing_more_can_belong_to_it(
    text: str, whole: list[str], rest: str
) -> None:
    assert blocks_of(text) == (whole, rest)


def test_blocks_are_the_same_however_the_text_comes() -> None:
    text = "# Title\n\nSome text\n```js\nlet x\n\n```\n- a\n- b\n\nend"
    blocks, rest = [], ""
    for letter in text:
        found, rest = blocks_of(rest + letter)
        blocks += found
    assert (blocks, rest) == blocks_of(text)
    assert len(blocks) == 4


@pytest.mark.parametrize(
    ("reply", "program"),
    [
        ("```py\nx = 1\n```\n```bash\nls\n```", Program(Language.PYTHON, "x = 1\n")),
        ("```python\nx = 1\n```\n```js\nlet y\n```", Program(Language.JAVASCRIPT, "let y\n")),
        ("```\nprint(1)\n```", Program(Language.PYTHON, "print(1)\n")),
        ("```\n$ ls -l\n```", None),
        ("no code", None),
        ("<think>```py\nx\n```</think>no", None),
    ],
)
def test_the_last_block_that_can_be_run_is_the_program(reply: str, program: Program | None) -> None:
    assert last_program(reply) == program


@pytest.mark.parametrize("text", ["/etc/hosts is a file", "//run", "what is /run", "/"])
def test_what_only_looks_like_a_command_is_said_to_the_model(text: str) -> None:
    assert not Commands(None, Voice()).take(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["/rnu", "/run this", "/save", "/save a b", "/save 'a", "/bench a b"]
)
def test_a_wrong_command_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Commands(None, Voice()).take(text)  # type: ignore[arg-type]


def test_into_a_pipe_an_answer_goes_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    screen = open_screen(Voice())
    screen.think("hm \x1b[2J")
    screen.say("# a **b** \x1b[2J")
    screen.restart("another begins")
    screen.say("c")
    screen.finish()
    said = capsys.readouterr()
    assert said.out == "# a **b** \x1b[2J\nc\n"
    assert said.err == "hm ␛[2J\nanother begins\n"
