from __future__ import annotations

import ast

import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks.challenge import Challenge, Language, ScriptTests, StdioTests
from crucible_tasks.completion import Form
from crucible_tasks.extraction import extract
from crucible_tasks.prompts import STYLES, VERSION, make_prompt

CODE = 'def add_one(x):\n    """Return x plus one."""\n'
SECRET = "\n".join(f"assert add_one({number}) == {number + 1}" for number in range(9))


def function(prompt: str = CODE, **fields: object) -> Challenge:
    return Challenge(
        "t", Language.PYTHON, prompt, "add_one", ScriptTests(SECRET), **fields  # type: ignore[arg-type]
    )  # fmt: skip


def whole_program() -> Challenge:
    return Challenge(
        "t", Language.PYTHON, "Double it.", None, StdioTests(()), prompt_is_code=False
    )  # fmt: skip


def content(challenge: Challenge) -> str:
    prompt = make_prompt(challenge, "chat")
    assert prompt.text is None
    assert [message.role for message in prompt.messages] == ["user"]
    return prompt.messages[0].content


def test_a_base_model_gets_the_code_itself() -> None:
    prompt = make_prompt(function(), "base")
    assert prompt.text == CODE
    assert prompt.messages == ()


def test_the_publishers_stop_words_win() -> None:
    assert make_prompt(function(stop=("\nEND",)), "base").stop == ("\nEND",)


def test_default_stop_words_end_no_answer_early() -> None:
    answer = "    return x + ONE + one()\n\nONE = 1\n\ndef one():\n    return 1\n"
    stop = make_prompt(function(), "base").stop
    assert 0 < len(stop) <= 4
    assert not [word for word in stop if word in answer]


def test_a_base_model_may_print_in_a_whole_program() -> None:
    assert make_prompt(whole_program(), "base").stop == ()


def test_a_text_becomes_a_docstring_that_a_program_can_follow() -> None:
    prompt = make_prompt(function("Add one.", prompt_is_code=False), "base")
    assert prompt.text is not None
    tree = ast.parse(prompt.text + "\ndef add_one(x):\n    return x + 1\n")
    assert "Add one." in (ast.get_docstring(tree) or "")


def test_a_text_with_quotes_becomes_a_docstring_too() -> None:
    prompt = make_prompt(function('Return """ as add_one.', prompt_is_code=False), "base")
    assert ast.get_docstring(ast.parse(prompt.text or "")) == 'Return """ as add_one.'


def test_a_published_docstring_is_not_quoted_twice() -> None:
    text = '"""\nWrite add_one.\nassert add_one(1) == 2\n"""\n'
    prompt = make_prompt(function(text, prompt_is_code=False), "base")
    assert prompt.text == text


def test_asserts_are_shown_only_where_the_text_does_not_name_the_function() -> None:
    assert content(function("Add one.", prompt_is_code=False)).count("assert ") == 3
    named = function("Write add_one to add one.", prompt_is_code=False)
    assert "assert" not in content(named)
    assert "assert" not in content(function())


def test_the_name_is_told_where_no_assert_shows_it() -> None:
    challenge = Challenge(
        "t", Language.PYTHON, "Add one.", "add_one", ScriptTests("check()"), prompt_is_code=False
    )
    assert "add_one" in content(challenge)


def test_a_chat_model_is_asked_for_one_block_with_imports() -> None:
    text = content(function())
    assert "one fenced code block in Python" in text
    assert "including imports" in text
    assert f"```python\n{CODE}```" in text


def test_a_fence_inside_the_code_is_fenced_by_a_longer_one() -> None:
    code = 'def add_one(x):\n    """\n```\nadd_one(1)\n```\n    """\n'
    assert f"````python\n{code}````" in content(function(code))


def test_the_fenced_code_of_a_prompt_is_read_back_whole() -> None:
    challenge = function()
    found = extract(content(challenge), Form.RESPONSE, challenge)
    assert found.program is not None
    assert CODE.strip() in found.program


def test_a_whole_program_is_told_where_its_input_is() -> None:
    assert "standard input" in content(whole_program())
    assert "standard input" in (make_prompt(whole_program(), "base").text or "")


def test_javascript_is_called_by_its_name() -> None:
    challenge = Challenge(
        "t", Language.JAVASCRIPT, "const f = () => {\n", "f", ScriptTests("")
    )  # fmt: skip
    assert "in JavaScript" in content(challenge)
    assert "```javascript\n" in content(challenge)


def test_a_javascript_text_becomes_a_comment() -> None:
    challenge = Challenge(
        "t", Language.JAVASCRIPT, "End */ it with f.", "f", ScriptTests(""), prompt_is_code=False
    )
    assert make_prompt(challenge, "base").text == "/*\nEnd * / it with f.\n*/\n"


def test_a_language_without_a_name_is_not_named() -> None:
    challenge = Challenge("t", Language.OTHER, "fn f() {\n", "f", ScriptTests(""))
    assert "one fenced code block that" in content(challenge)


def test_prompts_are_the_same_every_time_and_versioned() -> None:
    assert VERSION.rpartition("/")[2].isdigit()
    for style in STYLES:
        assert make_prompt(function(), style) == make_prompt(function(), style)


def test_an_unknown_style_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match='"poem"') as caught:
        make_prompt(function(), "poem")
    assert caught.value.hint == "use one of: base, chat"
