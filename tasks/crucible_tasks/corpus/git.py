"""Reads the history of a repository whose configuration nobody vouches for.

A cloned tree may carry a `.git/config` that names programs: a file system monitor, hooks, a pager,
a signature checker, a transport. Only commands that read objects are used, with every such setting
overridden on the command line, where it wins, with no protocol allowed, so that a partial clone
fetches nothing, and with none of the user's own configuration or environment.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

#: seconds; reading a thousand commits of a large repository takes a few
_PATIENCE = 120.0

_OVERRIDES = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "core.commitGraph=false",
    "core.sshCommand=false",
    "diff.external=",
    "gpg.program=false",
    "log.showSignature=false",
    "log.mailmap=false",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
)

#: the whole environment of every call
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}

#: before and after a message in `git log`'s output; no sane message holds them
_BEGIN, _END = b"\x01", b"\x02"

#: a raw line: modes before and after, ids before and after, the kind of change
_RAW = (":100644", "100644", "id", "id", "M")


@dataclass(frozen=True, slots=True)
class Change:
    """One file that one commit changed, by the ids of its contents before and after."""

    message: str
    path: str
    before: str
    after: str
    #: files the commit changed
    breadth: int


@dataclass(frozen=True, slots=True)
class NoHistory:
    """Why there is no history to read."""

    reason: str


def changes(directory: Path, most_commits: int) -> list[Change] | NoHistory:
    """What the latest commits that are no merges changed below a directory, the latest first."""
    form = f"--format={_BEGIN.decode()}%B{_END.decode()}"
    done = _run(
        directory,
        "log",
        f"--max-count={most_commits}",
        *("--no-merges", "--no-renames", "--no-show-signature", "--no-ext-diff", "--no-textconv"),
        *("--raw", "-z", "--no-abbrev", "--diff-filter=M", "--relative", "--encoding=UTF-8", form),
        *("HEAD", "--", "."),
    )
    if isinstance(done, NoHistory):
        return done
    return [change for commit in done.split(_BEGIN)[1:] for change in _changes(commit)]


def contents(directory: Path, ids: Sequence[str], most_bytes: int) -> dict[str, bytes]:
    """The contents with these ids, as far as they are there and not too large."""
    asked = "".join(f"{one}\n" for one in ids).encode()
    checked = _run(directory, "cat-file", "--batch-check", sent=asked)
    if isinstance(checked, NoHistory):
        return {}
    small = [
        words[0]
        for words in (line.split() for line in checked.decode().splitlines())
        if words[1:2] == ["blob"] and int(words[2]) <= most_bytes
    ]
    done = _run(
        directory, "cat-file", "--batch", sent="".join(f"{one}\n" for one in small).encode()
    )
    return {} if isinstance(done, NoHistory) else dict(_batch(done))


def _changes(commit: bytes) -> Iterator[Change]:
    """The changes of one commit: its message, then pairs of a raw line and a path."""
    message, _, rest = commit.partition(_END)
    fields = rest.strip(b"\0\n").split(b"\0")
    pairs = [
        (entry.split(), path)
        for entry, path in zip(fields[::2], fields[1::2], strict=False)
        if entry.lstrip(b"\n").startswith(b":")
    ]
    for entry, path in pairs:
        # a mode of 100…: a file before and after, and neither a link nor a submodule
        if len(entry) == len(_RAW) and entry[0].startswith(b":100") and entry[1].startswith(b"100"):
            yield Change(
                message.decode(errors="replace").strip(),
                path.decode(errors="backslashreplace"),
                entry[2].decode(),
                entry[3].decode(),
                len(pairs),
            )


def _batch(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Split what `cat-file --batch` writes: a line with id, type and size, then the content."""
    position = 0
    while position < len(data):
        end = data.index(b"\n", position)
        words = data[position:end].split()
        position = end + 1
        if words[1:2] == [b"blob"]:
            size = int(words[2])
            yield words[0].decode(), data[position : position + size]
            position += size + 1


def _run(directory: Path, *words: str, sent: bytes = b"") -> bytes | NoHistory:
    git = shutil.which("git")
    if git is None:
        return NoHistory("git is not installed")
    overrides = [word for setting in _OVERRIDES for word in ("-c", setting)]
    command = [git, "--no-pager", "--no-replace-objects", *overrides, "-C", str(directory), *words]
    try:
        done = subprocess.run(  # noqa: S603 -- every word is ours or a path after `-C`
            command,
            input=sent,
            env=_ENVIRONMENT,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return NoHistory(f"git took more than {_PATIENCE:.0f} s")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return NoHistory(
            said[0].removeprefix("fatal: ") if said else f"git ended with {done.returncode}"
        )
    return done.stdout
