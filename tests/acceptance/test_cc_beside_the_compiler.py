"""`cc` as a function and as a file: prompts and commands are ours, a build is the compiler's."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from commandline import Crucible, at_home
from crucible_infra import settings

#: the everyday lines, as they are typed, and the words that must arrive
OURS = (
    ("cc --interactive", ["--interactive"]),
    ('cat my-code.js | cc "Add comments to this code"', ["Add comments to this code"]),
    (
        'cc "Create a new React component" --output src/components/MyNewComponent.jsx',
        ["Create a new React component", "--output", "src/components/MyNewComponent.jsx"],
    ),
    ("cc benchmark", ["benchmark"]),
    ("cc benchmark --model my-project-codellama", ["benchmark", "--model", "my-project-codellama"]),
    (
        "cc fine-tune --model codellama:7b --directory ./src --new-model-name my-project-codellama",
        [
            *("fine-tune", "--model", "codellama:7b", "--directory", "./src"),
            *("--new-model-name", "my-project-codellama"),
        ],
    ),
)

#: the compiler's, whatever it makes of them
COMPILERS = (
    "cc -c main.c -o main.o",
    'cc "my main.c" -o spaced',
    "cc '-DGREETING=\"hello there\"' main.c -o defined",
    "cc ./main.c -o main",
    "cc main.c",
    "cc --version",
    'cc "/no such/main.c"',
    "cat main.c | cc -E -x c -",
)

PROGRAM = '#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n'

#: stands for crucible and writes down its words and what was piped
RECORDER = """#!/bin/sh
{ printf '%s\\n' "$@"; [ -t 0 ] || cat; } >>"$HOME/recorded"
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A clean environment: a compiler, a stand-in for crucible, and either kind of `cc`."""

    home: Path
    path: str
    init: str = ""

    def __call__(self, line: str, shell: str = "bash") -> subprocess.CompletedProcess[str]:
        (self.home / "recorded").unlink(missing_ok=True)
        return subprocess.run(
            [shell, "-c", f"{self.init}\n{line}"],
            env={"HOME": str(self.home), "PATH": self.path},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def recorded(self) -> list[str]:
        file = self.home / "recorded"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="module")
def crucible(tmp_path_factory: pytest.TempPathFactory) -> Crucible:
    return at_home(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for program in ("cc", "make", "bash"):
        if shutil.which(program) is None:
            reason = f"there is no {program}"
            if settings.read(os.environ).is_ci:
                pytest.fail(reason)
            pytest.skip(reason)
    home = tmp_path_factory.mktemp("desk")
    (home / "main.c").write_text(PROGRAM)
    (home / "my main.c").write_text(PROGRAM)
    (home / "my-code.js").write_text("f()\n")
    (home / "bin").mkdir()
    (home / "bin/crucible").write_text(RECORDER)
    (home / "bin/crucible").chmod(0o755)
    return home


@pytest.fixture(scope="module", params=["function", "shim"])
def desk(request: pytest.FixtureRequest, home: Path, crucible: Crucible) -> Desk:
    path = f"{home}/bin:{os.environ['PATH']}"
    if request.param == "function":
        said = crucible("shell-init", "bash")
        assert said.code == 0, said.err
        return Desk(home, path, said.out)
    for folder in ("one", "two"):
        # two of them must not call each other for ever
        said = crucible("shim", "install", "--dir", str(home / folder))
        assert said.code == 0, said.err
    return Desk(home, f"{home}/one:{home}/two:{home}/one:{path}")


@pytest.mark.parametrize(("line", "words"), OURS)
def test_the_everyday_lines_reach_crucible(line: str, words: list[str], desk: Desk) -> None:
    done = desk(line)
    assert done.returncode == 0, done.stderr
    piped = ["f()"] if line.startswith("cat") else []
    assert desk.recorded == words + piped


@pytest.mark.parametrize("line", COMPILERS)
def test_a_compiler_call_reaches_the_compiler(line: str, desk: Desk) -> None:
    done = desk(line)
    assert desk.recorded == []
    assert (done.returncode == 0) == ("no such" not in line), done.stderr


def test_make_still_builds_a_program(desk: Desk) -> None:
    (desk.home / "main").unlink(missing_ok=True)
    done = desk("make main && ./main")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("built\n")


def test_an_alias_does_not_stand_in_the_functions_way(home: Path, crucible: Crucible) -> None:
    function = crucible("shell-init", "bash").out
    init = f"shopt -s expand_aliases\nalias cc=gcc\neval {_quoted(function)}"
    desk = Desk(home, f"{home}/bin:{os.environ['PATH']}", init)
    assert desk("cc benchmark").returncode == 0
    assert desk.recorded == ["benchmark"]


def test_a_script_does_not_see_the_function(home: Path, crucible: Crucible) -> None:
    function = crucible("shell-init", "bash").out
    desk = Desk(home, f"{home}/bin:{os.environ['PATH']}", function)
    assert desk("bash -c 'type -t cc'").stdout == "file\n"


def test_a_shim_without_a_compiler_says_so(home: Path, crucible: Crucible) -> None:
    assert crucible("shim", "install", "--dir", str(home / "alone")).code == 0
    done = Desk(home, f"{home}/alone:{home}/bin")("cc -c main.c", shell="/bin/sh")
    assert done.returncode == 127
    assert "no compiler is on the PATH" in done.stderr


def test_a_shim_is_only_put_where_it_does_no_harm(home: Path, crucible: Crucible) -> None:
    place = home / "mine"
    (place / "venv" / "bin").mkdir(parents=True)
    (place / "venv" / "pyvenv.cfg").touch()
    (place / "taken").mkdir()
    (place / "taken" / "cc").write_text("#!/bin/sh\n")

    assert "belongs to the system" in crucible("shim", "install", "--dir", "/usr/local/bin").err
    assert "is not ours" in crucible("shim", "install", "--dir", str(place / "taken")).err
    assert (place / "taken" / "cc").read_text() == "#!/bin/sh\n"
    words = ("shim", "install", "--dir", str(place / "venv" / "bin"))
    assert crucible(*words).code == 2
    assert crucible(*words, "--force").code == 0
    assert "is not ours" in crucible("shim", "uninstall", "--dir", str(place / "taken")).err
    assert crucible("shim", "uninstall", "--dir", str(place / "venv" / "bin")).code == 0
    assert not (place / "venv" / "bin" / "cc").exists()


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
