"""A wording: a text of the user's own, in which the request for each challenge has its place.

The marker `{request}` stands once in the text, and the request of `prompts` takes its place
literally: other braces are nobody's business. Chat models get the result as their message. Base
models continue what comes last, so for them nothing may follow the marker. White space at the
text's end is the editor's, not the user's, and is left out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.text_file import read_text_file

MARKER = "{request}"

#: what asks for the wording of `prompts` where a file's name could stand
DEFAULT = "default"

#: a long few-shot prompt has 20 KiB; every challenge of a run stores the text once more
MAX_BYTES = 65_536

#: hexadecimal digits of the digest in a label: two versions of a file are told apart
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Wording:
    """One wording, as it was when it was read."""

    #: as the user wrote it
    path: str
    text: str

    @property
    def name(self) -> str:
        """The file's name without folder and ending, as one word."""
        return re.sub(r"[^\w.-]+", "-", Path(self.path).stem)

    @property
    def sha256(self) -> str:
        """Of the text: what `sha256sum` says of the file, but for a byte order mark."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def label(self) -> str:
        """What it is called beside numbers, like `terse@1f0c9a2b`."""
        return f"{self.name}@{self.sha256[:_DIGITS]}"

    def around(self, request: str) -> str:
        """The text with the request in the marker's place."""
        before, _, after = self.text.partition(MARKER)
        return f"{before}{request}{after.rstrip()}"

    def check_for_base(self) -> None:
        """Raise InvalidInput where something follows the marker, which a base model continues."""
        if self.text.partition(MARKER)[2].strip():
            raise InvalidInput(
                f"{self.path}: text follows {MARKER}, and a base model would continue that text "
                "instead of the code",
                hint=f"let the file end with {MARKER}, or ask in chat style: --style chat",
            )


def read_wording(path: str) -> Wording:
    """Read and check a wording.

    Raises InvalidInput for a file that cannot be read, FormatError for one without the marker or
    with two.
    """
    return checked_wording(path, read_text_file(path, MAX_BYTES, "prompt"))


def checked_wording(path: str, text: str) -> Wording:
    """A wording that was read elsewhere. Raises FormatError."""
    before, *rest = text.split(MARKER)
    if len(rest) == 1:
        return Wording(path, text)
    if not rest:
        error = FormatError.at(path, None, f"does not hold {MARKER}")
    else:
        line = (before + rest[0]).count("\n") + 1
        error = FormatError.at(path, line, f"holds {MARKER} a second time")
    error.hint = f"write {MARKER} once, where the challenge belongs"
    raise error
