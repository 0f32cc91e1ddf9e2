"""The code of an answer, found, checked and written to a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from crucible_api.cli import files
from crucible_api.cli.output import Voice, plural
from crucible_infra.errors import NoCode
from crucible_infra.settings import current
from crucible_tasks.completion import Finish
from crucible_tasks.file_languages import PYTHON, FileLanguage, language_of

#: node takes a tenth of a second for a file
_CHECK_SECONDS = 10.0

#: what node can parse; JSX and TypeScript need a compiler
_FOR_NODE = (".js", ".mjs", ".cjs")


def instruction(language: FileLanguage | None) -> str:
    """What a model is told beside the prompt, so that its answer holds one program."""
    if language is not None and language.is_prose:
        return f"Reply with the content of one {language.name} file and nothing else."
    tongue = f" in {language.name}" if language else ""
    return f"Reply with one fenced code block{tongue} that contains the complete code."


def code_of(answer: str, language: FileLanguage | None, finish: Finish) -> str:
    """The code that was asked for, ended by a newline. Raises NoCode."""
    from crucible_tasks.extraction.asked import asked_code

    found = asked_code(answer, language, finish).program
    if found is None:
        wanted = language.name if language and not language.is_prose else "code"
        raise NoCode(
            f"the answer has no {wanted} in it",
            hint="crucible logs show latest prints the whole answer",
        )
    return found if found.endswith("\n") else f"{found}\n"


def write(output: str, code: str, voice: Voice, *, is_forced: bool) -> None:
    """Write the code, say so on stderr, and warn where its syntax is wrong."""
    # a file may have come since the question was asked
    files.check_writable(output, is_forced=is_forced, makes_parents=True)
    made = files.make_parents(output)
    files.write(output, code.removesuffix("\n").split("\n"), voice)
    language = language_of(output)
    lines = plural(code.count("\n"), "line")
    tongue = f", {language.name}" if language else ""
    voice.talk(f"wrote {output} ({lines}{tongue}{f'; made {made}' if made else ''})")
    problem = syntax_problem(output, code)
    if problem is not None:
        voice.warn(f"{output}: {problem}")


def syntax_problem(name: str, code: str) -> str | None:
    """What is wrong with the syntax, where it can be told; nothing is run."""
    if language_of(name) is PYTHON:
        return _python_problem(code)
    ending = Path(name).suffix.lower()
    if ending == ".json":
        return _json_problem(code)
    node = current().node or shutil.which("node")
    return _node_problem(node, name, code) if node and ending in _FOR_NODE else None


def _python_problem(code: str) -> str | None:
    from crucible_tasks.extraction.parsing import Parser

    parsed = Parser().parse(code)
    if parsed.tree is not None:
        return None
    place = f" at line {parsed.error_line}" if parsed.error_line else ""
    return f"not valid Python{place}"


def _json_problem(code: str) -> str | None:
    try:
        json.loads(code)
    except ValueError as error:
        return f"not valid JSON: {error}"
    return None


def _node_problem(node: str, name: str, code: str) -> str | None:
    # from stdin a program is a module or not by this alone
    kind = "module" if name.endswith(".mjs") or _is_module(code) else "commonjs"
    try:
        done = subprocess.run(  # noqa: S603 -- the user's own node, which only parses
            [node, f"--input-type={kind}", "--check", "-"],
            input=code.encode(errors="replace"),
            capture_output=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # a node that does not start tells nothing about the code
        return None
    if not done.returncode:
        return None
    said = done.stderr.decode(errors="replace").splitlines()
    reason = next((line for line in said if "Error" in line), "it does not parse")
    return f"not valid JavaScript: {reason.strip()}"


def _is_module(code: str) -> bool:
    return any(line.startswith(("import ", "export ")) for line in code.splitlines())
