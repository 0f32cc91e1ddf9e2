"""Clocks of single processes that can be set while these run, for want of a machine to ruin."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services import ServiceMissing

_SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of day as some processes see it."""

    library: Path
    file: Path

    @classmethod
    def make(cls, directory: Path, name: str) -> Clock:
        """A clock that goes right. Raises ServiceMissing where there is no C compiler."""
        library = directory / "clock_shift.so"
        if not library.exists():
            compiler = shutil.which("cc")
            if compiler is None:
                raise ServiceMissing("clocks that jump need a C compiler")
            words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE)]
            subprocess.run(words, check=True, capture_output=True)
        clock = cls(library, directory / f"{name}.clock")
        clock.file.write_bytes(struct.pack("@l", 0))
        # whoever Redis or a sandbox runs as must be able to read it
        clock.file.chmod(0o644)
        return clock

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told so that it looks at this clock."""
        return {"LD_PRELOAD": str(self.library), "CLOCK_SHIFT": str(self.file)}

    def jump(self, seconds: int) -> None:
        """Be so far from the right time, from now on."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("@l", seconds))
