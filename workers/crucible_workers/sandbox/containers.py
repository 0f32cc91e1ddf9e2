"""A prison in a throw-away container of docker or podman, for hosts that allow no namespaces.

The engine makes the walls (`prison/container.py` says what the zygote adds), and the host talks to
the zygote over a UNIX socket in a directory that both see. Descriptors cross it as elsewhere, so
engine and host must share a kernel: a remote engine, or one in a virtual machine of its own, is
refused when nobody connects.

Without an image of the user's choice the container starts from an empty one, which the engine makes
from nothing, and sees this host's Python through read-only mounts.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crucible_infra.errors import SandboxUnavailable
from crucible_tasks.challenge import Limits
from crucible_workers.sandbox.cgroups import tree_bytes
from crucible_workers.sandbox.prison.container import DOOR, PLACE, PLACE_MIB
from crucible_workers.sandbox.runtime import Runtime

#: tried in this order
ENGINES = ("docker", "podman")
#: starting a container takes a second; a loaded host may take thirty times that
_START_SECONDS = 60.0
_ENGINE_SECONDS = 60.0
_NAP_SECONDS = 0.05
_EMPTY_IMAGE = "codecrucible-empty:1"
_CODE = "/codecrucible"
_BOOTSTRAP = f"import sys; sys.path.insert(0, {_CODE!r}); from prison.container import main; main()"
_FLAGS = ("-s", "-S", "-P", "-B", "-X", "utf8")
#: to become the programs' user, to leave its groups, to kill what it left
_CAPABILITIES = ("SETUID", "SETGID", "KILL")
#: of the tree; each program has its own limit besides
_MOST_PROCESSES = 1024
_DESCRIPTORS = 4096
#: landlock walks up from every file, so a chain of ten thousand directories takes seconds to make
_MOST_FILES = 4000
_HINT = (
    "start docker or podman on this host, or name one with CRUCIBLE_CONTAINER_ENGINE; "
    "CRUCIBLE_SANDBOX=namespaces needs none"
)


@dataclass(frozen=True, slots=True)
class Engine:
    """The program that starts containers, and what the user wants of it."""

    path: str
    #: `runsc`, for one; None is the engine's own
    runtime: str | None = None
    #: with a Python 3.11 or newer on its PATH; None brings this host's
    image: str | None = None

    @property
    def name(self) -> str:
        """As people call it."""
        return Path(self.path).name


def find_engine(
    name: str | None = None, runtime: str | None = None, image: str | None = None
) -> Engine:
    """The engine of that name, or whichever is on the PATH. Raises SandboxUnavailable."""
    choices = (name,) if name else ENGINES
    path = next(filter(None, map(shutil.which, choices)), None)
    if path is None:
        raise SandboxUnavailable(f"no {' or '.join(choices)} on this host's PATH", hint=_HINT)
    return Engine(path, runtime, image)


class Container:
    """A running container whose zygote has connected; use `start_container`."""

    def __init__(self, engine: Engine, name: str, process: subprocess.Popen[bytes]) -> None:
        self._engine = engine
        self._name = name
        #: the engine's client; ends with the container and with its exit status
        self.process = process
        self.control: socket.socket

    def remove(self) -> None:
        """End the container with everything in it, whatever state it is in."""
        _run(self._engine, "rm", "--force", self._name)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENGINE_SECONDS)


def start_container(engine: Engine, runtime: Runtime, environment: Mapping[str, str]) -> Container:
    """Start a zygote in a container and wait until it has connected.

    Raises:
        SandboxUnavailable: the engine refuses, or nobody connects; says what the engine said.
    """
    if engine.image is None:
        _make_empty_image(engine)
    name = f"codecrucible-{os.getpid()}-{secrets.token_hex(4)}"
    with _door() as (folder, listener), tempfile.TemporaryFile() as complaints:
        command = _command(engine, name, folder, runtime, environment)
        process = subprocess.Popen(  # noqa: S603 -- the user's own engine
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints
        )
        container = Container(engine, name, process)
        try:
            container.control = _visitor(listener, process)
        except (TimeoutError, ChildProcessError) as error:
            container.remove()
            said = _last_line(complaints) or "no zygote connected"
            raise SandboxUnavailable(
                f"{engine.name} does not start a prison: {said}", hint=_HINT
            ) from error
    return container


def _command(
    engine: Engine, name: str, folder: Path, runtime: Runtime, environment: Mapping[str, str]
) -> list[str]:
    binds = [(str(folder), DOOR), (str(Path(__file__).parent / "prison"), f"{_CODE}/prison")]
    masks: tuple[str, ...] = ()
    python = "python3"
    if engine.image is None:
        binds += [(runtime.executable, "/python"), *runtime.binds]
        masks, python = runtime.masks, "/python"
    return [
        *(engine.path, "run", "--rm", "--name", name, "--label", "codecrucible"),
        *(("--runtime", engine.runtime) if engine.runtime else ()),
        *_walls(),
        *_place(engine),
        *_masks(engine, masks),
        *(word for pair in binds for word in ("--volume", f"{pair[0]}:{pair[1]}:ro")),
        *(word for pair in environment.items() for word in ("--env", f"{pair[0]}={pair[1]}")),
        *("--entrypoint", python, engine.image or _EMPTY_IMAGE, *_FLAGS, "-c", _BOOTSTRAP),
    ]


def _walls() -> list[str]:
    """What the engine keeps out, and what it bounds."""
    memory = f"{tree_bytes(Limits().memory_mib)}"
    return [
        *("--network", "none", "--ipc", "none", "--hostname", "prison"),
        *("--user", "0:0", "--cap-drop", "ALL"),
        *(word for name in _CAPABILITIES for word in ("--cap-add", name)),
        # with SELinux, a confined container may not talk to a socket of the host
        *("--security-opt", "no-new-privileges", "--security-opt", "label=disable"),
        *("--memory", memory, "--memory-swap", memory, "--oom-score-adj", "1000"),
        *("--pids-limit", f"{_MOST_PROCESSES}", "--ulimit", f"nproc={_MOST_PROCESSES}"),
        *("--ulimit", f"nofile={_DESCRIPTORS}", "--ulimit", "core=0"),
        *("--log-driver", "none", "--workdir", "/", "--pull", "never"),
    ]


def _place(engine: Engine) -> list[str]:
    """A read-only root with one writable place in it, in the engine's dialect."""
    options = f"size={PLACE_MIB}m,mode=1777,noexec"
    if "podman" in engine.name:
        # podman cannot bound the number of files, and makes more places unless told not to
        return ["--read-only", "--read-only-tmpfs=false", "--tmpfs", f"{PLACE}:{options}"]
    return ["--read-only", "--tmpfs", f"{PLACE}:{options},nr_inodes={_MOST_FILES}"]


def _masks(engine: Engine, masks: Sequence[str]) -> Iterator[str]:
    """Empty directories over those of this host's Python that are nobody's business."""
    # podman would fill them with what they shall hide
    dialect = ",notmpcopyup" if "podman" in engine.name else ""
    for mask in masks:
        yield from ("--tmpfs", f"{mask}:ro,size=4k,mode=555{dialect}")


@contextlib.contextmanager
def _door() -> Iterator[tuple[Path, socket.socket]]:
    """A folder with a listening socket, gone as soon as the zygote is in."""
    with tempfile.TemporaryDirectory() as private, socket.socket(socket.AF_UNIX) as listener:
        # nobody but us gets to the folder on the host, and any user does in the container
        folder = Path(private) / "door"
        folder.mkdir()
        folder.chmod(0o755)
        listener.bind(f"{folder}/socket")
        (folder / "socket").chmod(0o666)
        listener.listen(1)
        listener.settimeout(_NAP_SECONDS)
        yield folder, listener


def _visitor(listener: socket.socket, process: subprocess.Popen[bytes]) -> socket.socket:
    """The first to connect. Raises TimeoutError, or ChildProcessError when the engine gave up."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            control, _ = listener.accept()
            control.settimeout(None)
            return control
        if process.poll() is not None:
            raise ChildProcessError
    raise TimeoutError


def _make_empty_image(engine: Engine) -> None:
    """An image without a file, so that no registry is asked for anything."""
    if _run(engine, "image", "inspect", _EMPTY_IMAGE).returncode == 0:
        return
    archive = io.BytesIO()
    tarfile.open(fileobj=archive, mode="w").close()
    made = _run(engine, "import", "-", _EMPTY_IMAGE, given=archive.getvalue())
    if made.returncode != 0:
        said = made.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SandboxUnavailable(f"{engine.name} cannot make an image: {said[-1]}", hint=_HINT)


def _run(engine: Engine, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 -- the user's own engine
            [engine.path, *words],
            input=given,
            capture_output=True,
            timeout=_ENGINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxUnavailable(f"{engine.name} does not answer", hint=_HINT) from error


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
