"""`crucible chat` in a terminal: keys in, screen out, against a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from commandline import PROGRAM, at_home
from model_server import Asked, ModelServer, Ollama, Reply, ndjson
from terminal import ALT_ENTER, CTRL_C, CTRL_D, Terminal

BROKEN = """\
# A title

Some **bold** text, and \x1b]0;owned\x07 an order.

```python
def half(x):
    return x / 0

print("half of four")
print(half(4))
```

- first
- second
"""
FIXED = "Sorry.\n\n```python\nprint(2.0)\n```\n"


@dataclass(slots=True)
class Talker:
    """An Ollama that answers by what it is asked."""

    ollama: Ollama = field(default_factory=Ollama)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path != "/api/chat":
            return self.ollama(asked)
        said = asked.body["messages"][-1]["content"]
        if "endless" in said:
            return Reply(ndjson("word " * 2000, is_chat=True), piece=64, pause=0.005)
        answer = FIXED if "failed" in said else BROKEN if "half" in said else f"You said: {said}"
        return Reply(ndjson(answer, is_chat=True), piece=50)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(Talker()) as running:
        yield running


def environment(home: Path, server: ModelServer) -> dict[str, str]:
    spec = f"ollama:{server.url}#codellama:7b-code?style=chat"
    return at_home(home, CRUCIBLE_MODEL=spec).environment


def sent(server: ModelServer) -> list[str]:
    """The conversation that the server was sent last."""
    return [turn["content"] for turn in server.sampled[-1].body["messages"]]


def test_a_chat_survives_everything_but_two_ctrl_c(tmp_path: Path, server: ModelServer) -> None:
    with Terminal((*PROGRAM, "chat"), environment(tmp_path, server), tmp_path) as chat:
        code_is_shown_run_fixed_and_saved(chat, tmp_path, server)
        prompts_have_many_lines(chat, server)
        wrong_commands_are_one_line(chat)
        an_answer_is_stopped_and_its_beginning_stays(chat, server)
        again = a_server_dies_and_comes_back(chat, server)
        chat.wait_for_prompt()
        chat.type(CTRL_C)
        chat.wait_for("[Ctrl-C again or Ctrl-D leaves]")
        chat.type(CTRL_C)
        assert chat.wait_for_end() == 130
    history = tmp_path / "state" / "chat-history"
    assert "write half" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
    a_piped_chat_goes_on_with_it(tmp_path, again)
    a_dumb_terminal_has_plain_lines(tmp_path, again)
    again.stop()


def code_is_shown_run_fixed_and_saved(chat: Terminal, directory: Path, server: ModelServer) -> None:
    chat.say("write half", "A title", "Some bold text", " return x / 0", " • second")
    # what a model means as an order to the terminal is text
    assert "␛]0;owned␇ an order" in chat.shown
    assert b"\x1b]0;owned" not in chat.written
    assert "```" not in chat.shown
    chat.say("/run", "half of four", "ZeroDivisionError: division by zero;", "s of CPU]")
    chat.say("/fix", "Sorry.", " print(2.0)")
    assert "ZeroDivisionError" in sent(server)[-1]
    assert sent(server)[:2] == ["write half", BROKEN]
    chat.say("/run", "\n2.0\n", "[ended well;")
    chat.say("/fix", "the last run ended well, so there is nothing to fix")
    chat.say("/save half.py", "wrote half.py (1 line, Python)")
    assert (directory / "half.py").read_text() == "print(2.0)\n"
    chat.say("/save half.py", "half.py: exists", "-f replaces it")
    chat.say("/save half.py -f", "wrote half.py")


def prompts_have_many_lines(chat: Terminal, server: ModelServer) -> None:
    chat.wait_for_prompt()
    chat.type(f"one{ALT_ENTER}two\r")
    chat.wait_for("You said: one")
    chat.wait_for_prompt()
    assert sent(server)[-1] == "one\ntwo"
    chat.type('"""three\r')
    chat.wait_for("\n.")
    chat.type('four"""\r')
    chat.wait_for("You said: three")
    assert sent(server)[-1] == "three\nfour"


def wrong_commands_are_one_line(chat: Terminal) -> None:
    chat.say("/rnu", "error: there is no command /rnu")
    chat.say("/run", "error: the last answer has no Python or JavaScript to run")
    chat.say("/model ollama:http://127.0.0.1:9#x", "error: ")
    chat.say("/model", "codellama:7b-code?style=chat on ollama 0.5.1")
    chat.say("/bench nonsense", "crucible benchmark -m ollama:", "no dataset is called 'nonsense'")
    chat.say("/help", "/bench [DATASET]")


def an_answer_is_stopped_and_its_beginning_stays(chat: Terminal, server: ModelServer) -> None:
    chat.say("/clear", "a new conversation")
    chat.say("endless", "word word")
    chat.type(CTRL_C)
    chat.wait_for("[stopped; Ctrl-C again or Ctrl-D leaves]")
    chat.say("go on", "You said: go on")
    first, partial, last = sent(server)
    assert (first, last) == ("endless", "go on")
    assert 1 < partial.count("word") < 2000


def a_server_dies_and_comes_back(chat: Terminal, server: ModelServer) -> ModelServer:
    chat.say("another endless one", "word word word")
    port = int(server.url.rpartition(":")[2])
    server.stop()
    chat.wait_for("error: ")
    chat.say("are you there", "Connection refused")
    again = ModelServer(Talker(), port).start()
    chat.say("and now", "You said: and now")
    assert sent(again)[-1] == "and now"
    # what failed before a word of it was never said
    assert "are you there" not in sent(again)
    return again


def a_piped_chat_goes_on_with_it(home: Path, server: ModelServer) -> None:
    done = subprocess.run(
        [*PROGRAM, "--interactive", "-c", "from", "a", "pipe"],
        env=environment(home, server),
        input="and more\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == "You said: from a pipe\nYou said: and more\n"
    assert sent(server)[-5:-2] == ["and now", "You said: and now", "from a pipe"]


def a_dumb_terminal_has_plain_lines(home: Path, server: ModelServer) -> None:
    words = (*PROGRAM, "chat", "--no-log", "hello")
    plain = {**environment(home, server), "TERM": "dumb"}
    with Terminal(words, plain, home) as chat:
        chat.wait_for("You said: hello")
        chat.wait_for_prompt()
        chat.type(CTRL_D)
        assert chat.wait_for_end() == 0
        assert b"\x1b" not in chat.written
    assert "hello" not in (home / "state" / "chat-history").read_text()


def test_a_chat_refuses_what_only_an_answer_can_do(tmp_path: Path) -> None:
    said = at_home(tmp_path)("--interactive", "-x", "hello")
    assert said.code == 2
    assert said.err.startswith("error: --interactive goes with none of -x, -o")
