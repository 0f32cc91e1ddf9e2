"""What `ask` is made of: stdin, messages, harmless text, the group of commands, files of code."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from crucible_api.cli import code_file, piped, prompt_text
from crucible_api.cli.asking_options import Asking
from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Voice
from crucible_api.cli.piped import Waits
from crucible_api.cli.plain_screen import HiddenScreen, PlainScreen
from crucible_api.cli.root import root
from crucible_api.cli.told_answer import ToldAnswer
from crucible_infra.errors import InvalidInput, NoCode
from crucible_tasks.answering import AnswerEnd, AnswerEvent, Piece, Restarted
from crucible_tasks.completion import Finish
from crucible_tasks.file_languages import language_of
from crucible_tasks.generation import ModelIdentity

VOICE = Voice()
END = AnswerEnd(ModelIdentity("x", "x", "x", "0" * 64, "chat"), Finish.STOP, 1, 2, 0.1, 0.2)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def test_a_pipe_that_stays_silent_is_named_and_refused(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidInput, match=r"nothing was piped for 0\.02 s"):
        piped.read(10, VOICE, is_patient=False, number=pipe[0], waits=Waits(0.01, 0.02))
    assert capsys.readouterr().err.startswith("waiting for piped input")
    os.write(pipe[1], b"late")
    os.close(pipe[1])
    quick = Waits(0.0, 0.0)
    assert piped.read(10, VOICE, is_patient=False, number=pipe[0], waits=quick) == b"late"
    assert capsys.readouterr().err == ""


def test_a_patient_read_waits_beyond_the_refusal(pipe: tuple[int, int]) -> None:
    from threading import Timer

    later = Timer(0.05, lambda: (os.write(pipe[1], b"x"), os.close(pipe[1])))
    later.start()
    waits = Waits(0.0, 0.001)
    assert piped.read(10, VOICE, is_patient=True, number=pipe[0], waits=waits) == b"x"
    later.join()


def test_too_much_is_refused_and_a_closed_descriptor_holds_nothing(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x" * 11)
    os.close(pipe[1])
    with pytest.raises(InvalidInput, match="stdin has more than 10 bytes"):
        piped.read(10, VOICE, is_patient=False, number=pipe[0])
    assert piped.is_open(pipe[0])
    assert not piped.is_open(9999)
    with Path("/dev/null").open("rb") as nothing:
        assert not piped.is_open(nothing.fileno())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("größe".encode(), "größe"),
        ("größe".encode("utf-8-sig"), "größe"),
        ("größe".encode("utf-16"), "größe"),
        (b"\xfe\xff" + "größe".encode("utf-16-be"), "größe"),
    ],
)
def test_text_is_read_by_its_mark(data: bytes, text: str) -> None:
    assert prompt_text.decoded(data, "stdin") == text


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"ab\xff", "stdin is not UTF-8: byte 2 is 0xff"),
        (b"\xef\xbb\xbfab\xe4", "stdin is not UTF-8: byte 5 is 0xe4"),
        (b"\xff\xfea\x00b", "stdin is not UTF-16-LE: byte 4 is 0x62"),
        ("x".encode("utf-32"), "stdin is UTF-32"),
    ],
)
def test_what_is_no_text_is_named_by_its_place(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        prompt_text.decoded(data, "stdin")


def test_a_message_holds_prompt_files_and_piped_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    files = [("a.py", prompt_text.read_file(str(tmp_path / "a.py"), 10))]
    assert prompt_text.message("explain", "piped\n", files) == (
        'explain\n\n<file name="a.py">\nx = 1\n</file>\n\n<stdin>\npiped\n</stdin>'
    )
    assert prompt_text.message("", "alone", []) == "alone"
    with pytest.raises(InvalidInput, match=r"a\.py has more than 4 bytes"):
        prompt_text.read_file(str(tmp_path / "a.py"), 4)
    with pytest.raises(InvalidInput, match="No such file"):
        prompt_text.read_file(str(tmp_path / "b.py"), 4)


def test_text_for_a_terminal_holds_nothing_it_obeys() -> None:
    hostile = "".join(map(chr, range(0x20))) + "\x7f\x9b31m\u202e\u2066\u2028ok \u00e9 \U0001f40d"
    safe = harmless(hostile)
    assert safe.endswith("ok \u00e9 \U0001f40d")
    assert [c for c in safe if not c.isprintable() and c not in "\t\n"] == []


def _parsed(*words: str) -> list[str]:
    """The words as the root group hands them on."""
    context = click.Context(root, info_name="crucible")
    root.parse_args(context, list(words))
    return [*context._protected_args, *context.args]


@pytest.mark.parametrize(
    ("words", "handed_on"),
    [
        (("benchmark", "-n", "3"), ("benchmark", "-n", "3")),
        (("fix", "the", "bug"), ("ask", "fix", "the", "bug")),
        (("--", "benchmark"), ("ask", "--", "benchmark")),
        (("-m", "x", "--", "-5"), ("ask", "-m", "x", "--", "-5")),
        (("ask", "benchmrak"), ("ask", "benchmrak")),
        (("run the tests in your head",), ("ask", "run the tests in your head")),
        (("model", "a", "car"), ("ask", "model", "a", "car")),
        (("explain",), ("ask", "explain")),
    ],
)
def test_the_first_word_decides(words: tuple[str, ...], handed_on: tuple[str, ...]) -> None:
    assert tuple(_parsed(*words)) == handed_on


@pytest.mark.parametrize(
    "words", ["benchmrak", "Benchmark", "benchmrak -n 3", "model show", "fine-tun x", "run list"]
)
def test_a_typo_is_refused_before_anything_is_read(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").touch()
    monkeypatch.chdir(tmp_path)
    if words == "model show":
        # `models` has no such word, so this may be a prompt
        assert _parsed(*words.split())[0] == "ask"
        return
    with pytest.raises(click.UsageError, match="did you mean"):
        _parsed(*words.split())


def _told(*events: AnswerEvent, is_held: bool = False) -> ToldAnswer:
    told = ToldAnswer(PlainScreen(VOICE), is_held=is_held)
    told.tell(event for event in (*events, END))
    return told


def test_an_answer_goes_to_stdout_and_reasoning_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = _told(Piece("hm", is_reasoning=True), Piece("ye"), Piece("s"))
    assert (told.text, told.reasoning, told.end) == ("yes", "hm", END)
    assert capsys.readouterr() == ("yes\n", "hm\n")


def test_a_pipe_gets_no_text_that_is_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    told = _told(Piece("no"), Restarted("another answers"), Piece("yes\n"), is_held=True)
    assert told.text == "yes\n"
    assert capsys.readouterr() == ("yes\n", "another answers\n")


def test_a_hidden_answer_is_kept_and_says_only_that_it_begins_anew(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = ToldAnswer(HiddenScreen(VOICE))
    said = (Piece("hm", is_reasoning=True), Piece("no"), Restarted("another answers"))
    told.tell(event for event in (*said, Piece("yes"), END))
    assert told.text == "yes"
    assert capsys.readouterr() == ("", "another answers\n")


def test_an_interrupted_answer_ends_its_line_and_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def events() -> Iterator[AnswerEvent]:
        yield Piece("half")
        raise KeyboardInterrupt

    told = ToldAnswer(PlainScreen(VOICE))
    with pytest.raises(KeyboardInterrupt):
        told.tell(events())
    assert (told.text, told.end) == ("half", None)
    assert capsys.readouterr().out == "half\n"


def test_syntax_is_checked_without_running_anything(
    node: str, crucible_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crucible_infra import settings

    monkeypatch.setenv("CRUCIBLE_NODE", node)
    settings.current.cache_clear()
    assert crucible_home
    for name, good, bad in (
        ("a.py", "x = 1\n", "x = = 1\n"),
        ("a.json", "{}", "{"),
        ("a.js", "const a = require('x');\n", "const a = ;\n"),
        ("a.mjs", "export const a = 1;\n", "export const a = ;\n"),
        ("a.js", "import x from 'y';\n", "import from;\n"),
    ):
        assert code_file.syntax_problem(name, good) is None
        assert str(code_file.syntax_problem(name, bad)).startswith("not valid")
    # JSX and the rest are nobody's to check here
    assert code_file.syntax_problem("a.jsx", "<a>") is None


def test_the_code_ends_its_last_line_or_there_is_none() -> None:
    assert code_file.code_of("```\nx\n```", None, Finish.STOP) == "x\n"
    assert code_file.code_of("# A", language_of("a.md"), Finish.STOP) == "# A\n"
    with pytest.raises(NoCode, match="the answer has no Rust in it"):
        code_file.code_of("no", language_of("a.rs"), Finish.STOP)


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("4k", 4096), ("2MiB", 2 << 20)])
def test_sizes_are_read(text: str, size: int) -> None:
    command = root.get_command(click.Context(root), "ask")
    assert command is not None
    context = command.make_context("ask", ["x", "--max-stdin", text])
    assert context.params["max_stdin"] == size
    given = {key: value for key, value in context.params.items() if key in Asking.__slots__}
    assert given["max_stdin"] == size
    with pytest.raises(click.UsageError, match="is not a size"):
        command.make_context("ask", ["x", "--max-stdin", "much"])


def test_stdin_is_the_streams_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # whatever Python thinks of its stdin, the descriptor decides
    monkeypatch.setattr("sys.stdin", io.StringIO("x"))
    assert isinstance(piped.is_open(), bool)
