"""--output leaves a whole file or none, and keeps what was there unless --force is given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_api.cli.files import check_writable, make_parents, write
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput


def test_a_file_is_written_whole_and_readable_as_the_umask_says(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    write(str(target), ["{}", "[]"], Voice())
    assert target.read_text() == "{}\n[]\n"
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_an_interruption_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    def interrupted() -> Iterator[str]:
        yield "new"
        raise KeyboardInterrupt

    target = tmp_path / "out.jsonl"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write(str(target), interrupted(), Voice())
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    with pytest.raises(InvalidInput, match=r"out\.jsonl: exists"):
        check_writable(str(target), is_forced=False)
    check_writable(str(target), is_forced=True)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no directory"):
        check_writable(str(tmp_path / "none" / "out.json"), is_forced=True)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a directory"):
        check_writable(str(tmp_path), is_forced=True)


def test_a_path_that_the_system_refuses_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="File name too long"):
        check_writable(str(tmp_path / ("x" * 300)), is_forced=False)
    with pytest.raises(InvalidInput, match="/proc/new/x: "):
        make_parents("/proc/new/x")
    with pytest.raises(InvalidInput, match="/proc/x: "):
        write("/proc/x", ["{}"], Voice())


def test_a_dash_is_stdout_and_a_device_is_written_in_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_writable("-", is_forced=False)
    check_writable(os.devnull, is_forced=False)
    write("-", ["{}"], Voice())
    write(os.devnull, ["{}"], Voice())
    assert capsys.readouterr().out == "{}\n"
    assert not Path(os.devnull).is_file()
