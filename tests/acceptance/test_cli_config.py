"""`crucible config` and `crucible keys` in real processes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from commandline import PROGRAM, Crucible, Said, at_home
from model_server import ModelServer, OpenAi

KEY = "sk-1234-very-secret"


@pytest.fixture
def crucible(tmp_path: Path) -> Crucible:
    home = tmp_path / "crucible"
    (home / ".git").mkdir(parents=True)
    return at_home(home)


def keep(crucible: Crucible, name: str, key: str) -> Said:
    done = subprocess.run(
        [*PROGRAM, "keys", "set", name],
        env=crucible.environment,
        input=key.encode(),
        capture_output=True,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_typo_is_refused_with_its_line_and_help_is_still_to_be_had(crucible: Crucible) -> None:
    (crucible.home / "config.toml").write_text('\nmodle = "x"\n')
    said = crucible("datasets")
    assert said.code == 2
    assert f"{crucible.home}/config.toml:2: there is no setting 'modle'" in said.err
    assert crucible("datasets", "--help").code == 0


def test_show_tells_each_value_and_its_source_without_secrets(crucible: Crucible) -> None:
    (crucible.home / "config.toml").write_text(
        'database_url = "postgresql://me:hunter22@db/x"\n[profiles.p]\nsandbox = "process"\n'
    )
    words = ("config", "show", "--json", "--profile", "p")
    said = crucible(*words, CRUCIBLE_MODEL="nano", OPENAI_API_KEY=KEY)
    assert said.code == 0, said.err
    shown = json.loads(said.out)
    file = f"{crucible.home}/config.toml"
    assert shown["model"] == {"value": "nano", "origin": "CRUCIBLE_MODEL"}
    assert shown["database_url"]["origin"] == f"{file}:1"
    assert shown["sandbox"] == {"value": "process", "origin": f"profile p, {file}:3"}
    assert shown["log_format"]["origin"] == "built-in"
    assert "hunter22" not in said.out
    assert KEY not in said.out


def test_a_project_is_trusted_until_it_changes(crucible: Crucible) -> None:
    file = crucible.home / ".crucible.toml"
    file.write_text('model = "nano"\n')
    before = crucible("config", "show", "--json")
    assert json.loads(before.out)["model"]["value"] is None
    assert "is not trusted" in before.err
    trusted = crucible("config", "trust")
    assert (trusted.code, trusted.out) == (0, f"trusted {file}\n")
    assert "it sets model" in trusted.err
    after = crucible("config", "show", "--json")
    assert json.loads(after.out)["model"] == {"value": "nano", "origin": f"{file}:1"}
    assert after.err == ""
    file.write_text('model = "reference"\n')
    assert "changed" in crucible("config", "list").out
    assert crucible("config", "untrust").code == 0
    assert crucible("config", "untrust").code == 2


def test_a_key_reaches_its_server_and_no_output(crucible: Crucible) -> None:
    with ModelServer(OpenAi(models=("qwen",))) as server:
        (crucible.home / "config.toml").write_text(
            'model = "coder"\n[models.coder]\nspec = "work/qwen"\n'
            f'[endpoints.work]\nurl = "{server.url}/v1"\nkey = "work"\n'
        )
        missing = crucible("models", "coder")
        assert "crucible keys set work" in missing.err
        kept = keep(crucible, "work", f"{KEY}\n")
        assert kept.code == 0, kept.err
        assert (crucible.home / "keys.toml").stat().st_mode & 0o777 == 0o600
        said = [
            kept,
            crucible("models", "coder", "--debug", CRUCIBLE_LOG_LEVEL="DEBUG", CRUCIBLE_DEBUG="1"),
            crucible("keys", "list"),
            crucible("config", "show", "--origin"),
        ]
        sent = {asked.headers.get("authorization") for asked in server.requests}
    assert [one.code for one in said] == [0, 0, 0, 0], said
    assert f"openai:{server.url}/v1#qwen" in said[1].out
    assert sent == {f"Bearer {KEY}"}
    assert server.url in said[2].out
    assert not [one for one in said if KEY in one.out + one.err]


def test_a_key_on_the_command_line_is_refused_and_not_repeated(crucible: Crucible) -> None:
    said = crucible("keys", "set", "work", KEY)
    assert said.code == 2
    assert KEY not in said.out + said.err
    assert not (crucible.home / "keys.toml").exists()


def test_a_key_is_asked_for_without_showing_it(crucible: Crucible) -> None:
    mine, its = pty.openpty()
    child = subprocess.Popen(
        [*PROGRAM, "keys", "set", "openai"],
        env=crucible.environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    shown = b""
    while b"key openai" not in shown:
        shown += os.read(mine, 4096)
    os.write(mine, f"{KEY}\n".encode())
    try:
        while piece := os.read(mine, 4096):
            shown += piece
    except OSError:
        # Linux ends a terminal whose other side is closed with EIO
        pass
    os.close(mine)
    assert child.wait(60) == 0
    assert KEY.encode() not in shown
    assert KEY in (crucible.home / "keys.toml").read_text()


def test_a_file_of_keys_that_others_can_read_is_refused_then_repaired(crucible: Crucible) -> None:
    keep(crucible, "work", KEY)
    (crucible.home / "keys.toml").chmod(0o644)
    said = crucible("keys", "list")
    assert said.code == 2
    assert "others on this host can read it" in said.err
    assert keep(crucible, "other", "sk-another").code == 0
    assert (crucible.home / "keys.toml").stat().st_mode & 0o777 == 0o600
    assert json.loads(crucible("keys", "list", "--json").out)[0]["key"] == "other"
    assert crucible("keys", "remove", "work").code == 0
