"""A wording of the user's own goes around our request, literally, or is refused in one line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.prompts import VERSION, make_prompt, version_of
from crucible_tasks.wording import MAX_BYTES, Wording, read_wording

#: braces, percent signs and a marker that is part of the code itself
CODE = 'def add_one(x):\n    """Like f"{request} {x!r} {{}} %s"."""\n'

CHALLENGE = Challenge("t", Language.PYTHON, CODE, "add_one", ScriptTests("assert add_one(1)"))


def _read(directory: Path, text: str | bytes, name: str = "mine.txt") -> Wording:
    path = directory / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_wording(str(path))


def test_a_chat_model_gets_our_request_inside_the_users_text(tmp_path: Path) -> None:
    ours = make_prompt(CHALLENGE, "chat").messages[0].content
    wording = _read(tmp_path, "Use {braces} and {}.\n\n{request}\n\nThink first. 100 %s\n")
    (message,) = make_prompt(CHALLENGE, "chat", wording).messages
    assert message.role == "user"
    assert message.content == f"Use {{braces}} and {{}}.\n\n{ours}\n\nThink first. 100 %s"


def test_a_base_model_continues_our_text_after_the_users(tmp_path: Path) -> None:
    wording = _read(tmp_path, "# By {an expert}.\n{request} \r\n\n")
    prompt = make_prompt(CHALLENGE, "base", wording)
    assert prompt.text == f"# By {{an expert}}.\n{CODE}"
    assert prompt.stop == make_prompt(CHALLENGE, "base").stop
    assert prompt.messages == ()


def test_a_base_model_is_not_asked_to_continue_the_users_text(tmp_path: Path) -> None:
    wording = _read(tmp_path, "{request}\nThanks!")
    with pytest.raises(InvalidInput, match=r"mine\.txt: text follows \{request\}") as caught:
        make_prompt(CHALLENGE, "base", wording)
    assert "end with {request}" in (caught.value.hint or "")
    assert "\n" not in caught.value.message


def test_a_label_names_the_file_and_its_content(tmp_path: Path) -> None:
    text = "Please: {request}\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    wording = _read(tmp_path, text, "my terse+prompt v2.txt")
    assert wording.sha256 == digest
    assert wording.label == f"my-terse-prompt-v2@{digest[:8]}"
    assert version_of(wording) == f"{VERSION}+{wording.label}"
    assert version_of(None) == VERSION
    assert _read(tmp_path, "\ufeff" + text).text == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ": does not hold {request}"),
        ("{ request }", ": does not hold {request}"),
        ("a {request}\nb\n{request}\n{request}", ":3: holds {request} a second time"),
        (b"a\n\xff {request}", ":2: is not UTF-8"),
        ("{request}" + " " * MAX_BYTES, ": is larger than 64 KiB, which no prompt is"),
    ],
)
def test_a_file_that_is_no_wording_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        _read(tmp_path, text)
    assert caught.value.message == f"{tmp_path / 'mine.txt'}{problem}"


def test_64_kib_are_read(tmp_path: Path) -> None:
    assert len(_read(tmp_path, "{request}".rjust(MAX_BYTES)).text) == MAX_BYTES


@pytest.mark.parametrize("name", ["nosuch.txt", ".", "\0"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        read_wording(name)
    assert not isinstance(caught.value, FormatError)
    assert repr(name)[1:-1] in caught.value.message
