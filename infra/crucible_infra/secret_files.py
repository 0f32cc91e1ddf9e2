"""Secrets in files: `<NAME>_FILE` names a file with the value of `<NAME>`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: what holds a password, and may therefore stand in a file that `<NAME>_FILE` names: environments
#: are shown by `docker inspect` and inherited by every child
SECRETS = ("CRUCIBLE_BROKER_URL", "CRUCIBLE_DATABASE_URL", "CRUCIBLE_TOKEN", "OPENAI_API_KEY")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a `…_FILE` variable or a file of configuration, and what to do."""

    problem: str
    hint: str | None


def with_secrets(
    environment: Mapping[str, str],
) -> tuple[Mapping[str, str], Flaw | None]:
    """The environment with the content of every `<SECRET>_FILE`, and the first that has none."""
    found, unread = dict(environment), None
    for name in SECRETS:
        path = environment.get(f"{name}_FILE")
        if not path:
            continue
        if environment.get(name):
            problem = f"{name} and {name}_FILE are both set"
            unread = unread or Flaw(problem, f"unset one of them; {name}_FILE is {path}")
            continue
        try:
            found[name] = _first_line(Path(path))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            hint = "a file that this user can read, with the value on its only line"
            unread = unread or Flaw(f"{name}_FILE: {path}: {reason}", f"it names {hint}")
    return found, unread


def _first_line(path: Path) -> str:
    """The only line of a file. Raises OSError or ValueError, neither of which shows the secret."""
    try:
        # editors and `echo` end a file with a newline
        text = path.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    if not text or len(text.splitlines()) > 1:
        raise ValueError("it is empty" if not text else "it has more than one line")
    return text
