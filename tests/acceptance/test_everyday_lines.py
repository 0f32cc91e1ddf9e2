"""The everyday lines for real: `cc` in a clean shell, beside a compiler, to a model's server."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commandline import PATIENCE_SECONDS, at_home
from crucible_infra import settings
from model_server import ModelServer, Ollama

CODE = "export const f = () => 1;\n"
ANSWER = f"Sure:\n\n```javascript\n{CODE}```\nEnjoy.\n"


@dataclass(frozen=True, slots=True)
class Desk:
    """A clean environment with a compiler, the real crucible, and one kind of `cc`."""

    home: Path
    path: str
    init: str
    server: ModelServer

    def __call__(self, line: str) -> subprocess.CompletedProcess[str]:
        self.server.requests.clear()
        return subprocess.run(
            ["env", "-i", f"HOME={self.home}", f"PATH={self.path}", "bash", "-c", self.init + line],
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(Ollama(answers=lambda _prompt, _seed: ANSWER)) as running:
        yield running


@pytest.fixture(scope="module", params=["function", "shim"])
def desk(
    request: pytest.FixtureRequest, server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Desk:
    if shutil.which("cc") is None or shutil.which("bash") is None:
        reason = "there is no compiler or no bash"
        if settings.read(os.environ).is_ci:
            pytest.fail(reason)
        pytest.skip(reason)
    home = tmp_path_factory.mktemp("everyday")
    config = home / ".config/codecrucible/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'model = "ollama:{server.url}#codellama:7b-code?style=chat"\n')
    (home / "my-code.js").write_text("f()\n")
    (home / "bin").mkdir()
    program = home / "bin/crucible"
    paths = shlex.quote(os.pathsep.join(filter(None, sys.path)))
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={paths} exec {shlex.quote(sys.executable)} -m crucible_api "$@"\n'
    )
    program.chmod(0o755)
    path = f"{home}/bin:{os.environ['PATH']}"
    if request.param == "function":
        return Desk(home, path, f'eval "$({program} shell-init bash)"\n', server)
    assert at_home(home)("shim", "install", "--dir", str(home / "shim")).code == 0
    return Desk(home, f"{home}/shim:{path}", "", server)


def test_a_file_is_piped_with_a_prompt(desk: Desk) -> None:
    done = desk('cat my-code.js | cc "Add comments to this code"')
    assert (done.returncode, done.stdout) == (0, ANSWER), done.stderr
    (asked,) = desk.server.sampled
    assert "Add comments to this code" in str(asked.body)
    assert "f()" in str(asked.body)


def test_a_prompt_becomes_a_file(desk: Desk) -> None:
    line = 'cc "Create a new React component" --output src/components/MyNewComponent.jsx'
    done = desk(line)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (desk.home / "src/components/MyNewComponent.jsx").read_text() == CODE


def test_a_benchmark_asks_the_configured_model(desk: Desk) -> None:
    done = desk("cc benchmark --limit 1")
    assert done.returncode == 0, done.stderr
    assert "pass@1" in done.stdout
    assert len(desk.server.sampled) == 1
