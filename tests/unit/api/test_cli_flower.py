"""`crucible flower`: who is asked for a password, and what it needs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from crucible_api.cli import flower
from crucible_api.cli.flower_password import NAME, credentials, default_file
from crucible_api.cli.output import Voice
from crucible_infra.errors import FormatError, InvalidInput, StorageError

VOICE = Voice(is_quiet=True)


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.1.4", False),
        ("localhost.example.com", False),
    ],
)
def test_only_what_is_surely_this_host_needs_no_password(address: str, *, is_here: bool) -> None:
    assert flower.is_loopback(address) is is_here


def test_nobody_is_asked_on_loopback(crucible_home: Path) -> None:
    assert credentials(None, is_needed=False, voice=VOICE) == ()
    assert not (crucible_home / "flower").exists()


def test_a_password_is_made_once_and_only_its_owner_can_read_it(
    crucible_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (login,) = credentials(None, is_needed=True, voice=VOICE)
    again = credentials(None, is_needed=True, voice=VOICE)
    name, _, password = login.partition(":")
    said = capsys.readouterr()

    assert again == (login,)
    assert (name, len(password)) == (NAME, 32)
    assert stat.S_IMODE(default_file().stat().st_mode) == 0o600
    assert stat.S_IMODE((crucible_home / "flower").stat().st_mode) == 0o700
    assert str(default_file()) in said.err
    assert password not in said.err + said.out


def test_a_password_that_others_could_read_is_refused(crucible_home: Path) -> None:
    del crucible_home
    credentials(None, is_needed=True, voice=VOICE)
    default_file().chmod(0o640)
    with pytest.raises(InvalidInput, match="can be read by others") as caught:
        credentials(None, is_needed=True, voice=VOICE)
    assert "delete it" in (caught.value.hint or "")


def test_a_file_of_ones_own_names_everybody(tmp_path: Path) -> None:
    file = tmp_path / "logins"
    file.write_text("ann:one\n\nbob:two:with:colons\n")

    assert credentials(file, is_needed=False, voice=VOICE) == ("ann:one", "bob:two:with:colons")


@pytest.mark.parametrize(
    ("text", "place"), [("ann:one\nhunter2\n", ":2"), (":x\n", ":1"), ("ann:\n", ":1"), ("", "")]
)
def test_a_wrong_line_is_named_and_not_shown(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "logins"
    file.write_text(text)
    with pytest.raises(FormatError, match=f"{file}{place}: ") as caught:
        credentials(file, is_needed=True, voice=VOICE)
    assert "hunter2" not in caught.value.message


def test_a_missing_file_is_an_error_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        credentials(tmp_path / "logins", is_needed=True, voice=VOICE)
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_for_its_password_it_does_not_start(crucible_home: Path) -> None:
    (crucible_home / "flower").write_text("in the way")
    with pytest.raises(StorageError, match="flower"):
        credentials(None, is_needed=True, voice=VOICE)


def test_a_missing_flower_says_what_to_install(
    crucible_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del crucible_home
    monkeypatch.setattr(flower, "find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match="not installed") as caught:
        flower.command.main([], standalone_mode=False)
    assert caught.value.hint == "pip install 'codecrucible[cluster]'"
