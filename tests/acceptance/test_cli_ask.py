"""`crucible "prompt"`: real processes, a real server, pipes and terminals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from commandline import PROGRAM, Crucible, Said, at_home
from model_server import Asked, ModelServer, Ollama, Reply, ndjson

CODE = "def add(a, b):\n    return a + b\n"
ANSWER = f"Sure:\n\n```python\n{CODE}```\nEnjoy.\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(Ollama()) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all, so that its database is made once."""
    return tmp_path_factory.mktemp("ask")


@pytest.fixture
def crucible(home: Path, server: ModelServer) -> Crucible:
    says(server, ANSWER)
    return at_home(home, CRUCIBLE_MODEL=f"ollama:{server.url}#codellama:7b-code?style=chat")


def says(server: ModelServer, answer: str, *faults: Reply) -> None:
    """Let the server answer so, after these."""
    server.requests.clear()
    server.abandoned.clear()
    server.behaviour = Ollama(answers=lambda _prompt, _seed: answer, faults=deque(faults))


def piped(crucible: Crucible, text: bytes, *words: str, **extra: str) -> Said:
    """Run it with something on a pipe."""
    done = subprocess.run(
        [*PROGRAM, *words],
        env={**crucible.environment, **extra},
        cwd=crucible.home,
        input=text,
        capture_output=True,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def sent(server: ModelServer) -> str:
    """The message that the server was asked with last."""
    return str(server.sampled[-1].body["messages"][-1]["content"])


def test_unquoted_words_are_one_prompt_and_the_answer_is_all_of_stdout(
    crucible: Crucible, server: ModelServer
) -> None:
    said = crucible("fix", "the", "bug", "-u", "--seed", "7", "-s", "Be brief.")
    assert (said.code, said.out) == (0, ANSWER)
    assert (
        said.err.splitlines()[0] == "the answer has prose around its code; -x prints the code only"
    )
    assert "10 tokens in" in said.err
    assert "seed 7;" in said.err
    body = server.sampled[-1].body
    assert [turn["content"] for turn in body["messages"]] == ["Be brief.", "fix the bug"]
    assert body["options"]["seed"] == 7


def test_what_is_piped_goes_along_and_one_word_is_enough_then(
    crucible: Crucible, server: ModelServer
) -> None:
    assert piped(crucible, "\ufeffx = 1\n".encode(), "explain", "--no-log").code == 0
    assert sent(server) == "explain\n\n<stdin>\nx = 1\n</stdin>"
    assert piped(crucible, "größe".encode("utf-16"), "--no-log").code == 0
    assert sent(server) == "größe"


def test_bytes_that_are_no_text_are_refused_with_their_place(
    crucible: Crucible, server: ModelServer
) -> None:
    said = piped(crucible, b"abc\xe9def", "explain this")
    assert said.code == 2
    assert said.err.startswith("error: stdin is not UTF-8: byte 3 is 0xe9\n")
    assert piped(crucible, b"", "").code == 2
    assert piped(crucible, b"x" * 5000, "explain", "--max-stdin", "4k").code == 2
    assert server.sampled == []


def test_an_idle_pipe_is_named_after_two_seconds(crucible: Crucible, server: ModelServer) -> None:
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [*PROGRAM, "fix the bug"],
        env=crucible.environment,
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(reader)
    assert child.stderr is not None
    assert child.stderr.readline().startswith(b"waiting for piped input (Ctrl-C stops;")
    os.write(writer, b"late")
    os.close(writer)
    out, _ = child.communicate(timeout=60)
    assert out.decode() == ANSWER
    assert "late" in sent(server)


@pytest.mark.parametrize("stdin", ["</dev/null", "<file.txt", "<<< text", "<&-", "--no-stdin"])
def test_every_kind_of_stdin_is_answered(
    crucible: Crucible, server: ModelServer, stdin: str
) -> None:
    (crucible.home / "file.txt").write_text("of a file")
    script = f"{sys.executable} -m crucible_api 'fix the bug' --no-log {stdin}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=crucible.environment,
        cwd=crucible.home,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.decode()) == (0, ANSWER), done.stderr
    piped_text = {"<file.txt": "of a file\n", "<<< text": "text\n"}.get(stdin)
    block = f"\n\n<stdin>\n{piped_text}</stdin>" if piped_text else ""
    assert sent(server) == f"fix the bug{block}"


def test_the_first_word_decides_and_a_typo_is_never_sent(
    crucible: Crucible, server: ModelServer
) -> None:
    for words, hint in (
        (("benchmrak", "-n", "3"), "did you mean: crucible benchmark"),
        (("run", "list"), "did you mean: crucible runs"),
        (("-m", "x", "benchmark"), "put it first, or as a prompt: crucible -- benchmark"),
        (("nonsense",), "as a prompt: crucible -- nonsense"),
        ((" ",), 'crucible "a question", or pipe one'),
    ):
        said = crucible(*words)
        assert (said.code, said.out) == (2, "")
        assert hint in said.err
    assert server.sampled == []
    for words, prompt in (
        (("--no-log", "--", "benchmark"), "benchmark"),
        (("--no-log", "--", "-5 in binary"), "-5 in binary"),
        (("ask", "--no-log", "nonsense"), "nonsense"),
    ):
        assert crucible(*words).code == 0
        assert sent(server) == prompt


def test_output_gets_the_code_alone_its_parents_are_made_and_nothing_is_lost(
    crucible: Crucible, server: ModelServer
) -> None:
    words = ("write", "an", "adder", "-o", "src/new/adder.py")
    said = crucible(*words)
    path = crucible.home / "src" / "new" / "adder.py"
    assert (said.code, said.out, path.read_text()) == (0, "", CODE)
    assert f"wrote src/new/adder.py (2 lines, Python; made {crucible.home / 'src'})" in said.err
    assert sent(server).endswith("one fenced code block in Python that contains the complete code.")
    server.requests.clear()
    said = crucible(*words)
    assert (said.code, "exists" in said.err, server.sampled) == (2, True, [])
    says(server, "```python\ndef broken(:\n```\n")
    said = crucible(*words, "--force")
    assert said.code == 0
    assert "warning: src/new/adder.py: not valid Python at line 1" in said.err
    assert path.read_text() == "def broken(:\n"
    assert sorted(each.name for each in path.parent.iterdir()) == ["adder.py"]


def test_an_answer_without_code_writes_nothing_and_is_kept(
    crucible: Crucible, server: ModelServer
) -> None:
    says(server, "I would rather not.\n")
    said = crucible("write an adder", "-o", "never/there.py")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: the answer has no Python in it\n")
    assert not (crucible.home / "never").exists()
    assert crucible("logs", "show", "latest", "--last").out == "I would rather not.\n"
    # who wrote no -x is told why this says nothing
    said = crucible("write an adder", CRUCIBLE_EXTRACT="1")
    assert (said.code, said.out) == (1, "")
    assert "extract is configured; CRUCIBLE_EXTRACT=0" in said.err


def test_a_conversation_goes_on_and_its_log_shows_it(
    crucible: Crucible, server: ModelServer
) -> None:
    first = json.loads(crucible("remember", "the walrus", "-s", "Be brief.", "--json").out)
    assert (first["answer"], first["code"]) == (ANSWER, CODE)
    second = json.loads(crucible("ask", "-c", "and now?", "-x", "--json").out)
    assert second["conversation"] == first["conversation"]
    assert second["code"] == CODE
    turns = [(turn["role"], turn["content"]) for turn in server.sampled[-1].body["messages"]]
    assert turns[:3] == [
        ("system", "Be brief."),
        ("user", "remember the walrus"),
        ("assistant", ANSWER),
    ]
    listed = json.loads(crucible("logs", "list", "WALRUS", "--json").out)
    assert [(each["id"], each["exchanges"]) for each in listed] == [(first["conversation"], 2)]
    shown = crucible("logs", "show", first["conversation"][-4:]).out
    assert "remember the walrus" in shown
    assert crucible("ask", "--cid", "nothing", "go on").code == 2


def test_a_database_that_cannot_be_written_costs_a_line_and_not_the_answer(
    crucible: Crucible,
) -> None:
    said = crucible("fix the bug", CRUCIBLE_DATABASE_URL="sqlite:////dev/null/nowhere.db")
    assert (said.code, said.out) == (0, ANSWER)
    warnings = [line for line in said.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: the answer is not logged: ")


def test_a_reader_that_leaves_ends_the_answer_in_silence_and_the_server_sees_it(
    crucible: Crucible, server: ModelServer
) -> None:
    endless = Reply(ndjson("line\n" * 2000, is_chat=True), piece=4096, pause=0.02)
    says(server, "", endless)
    script = f"{sys.executable} -m crucible_api 'count forever' --no-log </dev/null | head -1"
    done = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[@]}}"],
        env=crucible.environment,
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"line\n141 0\n", b"")
    _wait_until_abandoned(server)


def test_ctrl_c_keeps_what_was_said_and_is_130(crucible: Crucible, server: ModelServer) -> None:
    endless = Reply(ndjson("half of it\n" * 2000, is_chat=True), piece=4096, pause=0.02)
    says(server, "", endless)
    child = crucible.start("count forever", "-o", "part.py")
    _wait_until(lambda: bool(server.sampled))
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (130, b"", b"stopped\n")
    assert not (crucible.home / "part.py").exists()
    _wait_until_abandoned(server)
    kept = json.loads(crucible("logs", "show", "latest", "--json").out)["exchanges"][-1]
    assert kept["finish"] == "interrupted"
    assert kept["answer"].startswith("half of it\n")


def test_a_terminal_obeys_nothing_that_a_model_says(
    crucible: Crucible, server: ModelServer
) -> None:
    hostile = "\x1b]0;owned\x07\x1b[31mred\x9b2J\rover\u202eevil"
    thought = json.dumps({"message": {"thinking": "\x1b[2Jhm"}, "done": False}).encode() + b"\n"
    says(server, hostile, Reply(thought + ndjson(hostile, is_chat=True)))
    said = crucible.on_terminal("ask", "say it", "--no-log")
    shown = said.err.replace("\r\n", "\n")
    assert "\x1b[2m␛[2Jhm\x1b[0m\n" in shown
    assert "␛]0;owned␇␛[31mred\ufffd2Jover\ufffdevil\n" in shown
    # where nothing is shown before the end, a line says that it comes, and leaves
    says(server, ANSWER)
    shown = crucible.on_terminal("ask", "say it", "--no-log", "-x").err
    assert "\r0 characters so far, shown at the end (Ctrl-C stops)" in shown
    assert shown.replace("\r\n", "\n").endswith(f" \r{CODE}")
    assert "so far" not in crucible("ask", "say it", "--no-log", "-x").err
    says(server, hostile)
    # what is piped is the answer to the byte
    assert crucible("ask", "say it", "--no-log").out == f"{hostile}\n"
    plain = crucible.on_terminal("ask", "say it", "--no-log", NO_COLOR="1").err
    assert "\x1b" not in plain


def test_where_nothing_answers_one_line_says_so(crucible: Crucible) -> None:
    nobody = {"OLLAMA_HOST": "127.0.0.1:9", "CRUCIBLE_MODEL": ""}
    said = crucible("fix the bug", **nobody)
    if "so this asks" in said.err:
        pytest.skip("a model server runs on one of this host's usual ports")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == (
        "error: no model was named, and no model server answers on this host"
    )


def test_what_answers_is_asked_and_named(crucible: Crucible, server: ModelServer) -> None:
    server.behaviour = Ollama(
        answers=lambda _prompt, _seed: ANSWER,
        models=("embed", "coder:1b"),
        template="{{ .Messages }}",
    )
    said = crucible("fix the bug", "--no-log", OLLAMA_HOST=server.url, CRUCIBLE_MODEL="")
    assert said.code == 0
    assert said.err.startswith("no model was named, so this asks ollama:coder:1b on Ollama (")


def test_a_key_is_sent_and_never_shown(crucible: Crucible, server: ModelServer) -> None:
    secret = "sk-verysecret123456"

    def refuse(asked: Asked) -> Reply:
        return Reply({"error": {"message": f"bad key {asked.headers.get('authorization')}"}}, 401)

    server.behaviour = refuse
    said = crucible(
        *("-m", f"openai:{server.url}/v1#coder", "fix the bug", "--debug"),
        OPENAI_BASE_URL=f"{server.url}/v1",
        OPENAI_API_KEY=secret,
        CRUCIBLE_LOG_LEVEL="DEBUG",
    )
    assert server.requests[0].headers["authorization"] == f"Bearer {secret}"
    assert said.code == 1
    assert "Traceback" in said.err
    assert secret not in said.out + said.err


def _wait_until_abandoned(server: ModelServer) -> None:
    _wait_until(lambda: bool(server.abandoned))


def _wait_until(is_so: object) -> None:
    assert callable(is_so)
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen within ten seconds")
