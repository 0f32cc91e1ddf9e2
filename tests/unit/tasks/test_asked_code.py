"""The code in an answer to a person, who has no challenge."""

from __future__ import annotations

import pytest

from crucible_tasks.completion import Finish
from crucible_tasks.extraction.asked import asked_code
from crucible_tasks.file_languages import language_of

PROGRAM = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("name", "answer", "code"),
    [
        ("a.py", f"Sure:\n```python\n{PROGRAM}```\nUse:\n```python\nadd(1, 2)\n```", PROGRAM),
        ("a.py", f"```bash\npip install x\n```\n```py\n{PROGRAM}```", PROGRAM),
        ("a.py", f"<think>```python\nbad()\n```</think>\n```\n{PROGRAM}```", PROGRAM),
        ("a.py", PROGRAM, PROGRAM),
        ("a.py", f"Here it is:\n\n{PROGRAM}", PROGRAM),
        ("a.py", "```python\nx = 1\n```\nOh, wrong:\n```python\nx = 2\n```", "x = 2\n"),
        ("a.py", "```rust\nfn main() {}\n```", None),
        ("a.py", "I would rather not.", None),
        ("a.py", "", None),
        ("a.jsx", "```sh\nnpm i react\n```\n```jsx\nexport default 1;\n```", "export default 1;\n"),
        ("a.tsx", "```typescript\nexport default 1;\n```", "export default 1;\n"),
        ("a.js", "function f() { return 1 }", "function f() { return 1 }"),
        ("a.js", "I would rather not.", None),
        ("a.html", "<p>hi</p>\n", "<p>hi</p>"),
        ("a.rs", "It is done.", None),
        ("Makefile", "```make\nall:\n\ttrue\n```", "all:\n\ttrue\n"),
        ("README.md", "# A\n\n```sh\nx\n```\nmore", "# A\n\n```sh\nx\n```\nmore"),
        ("README.md", "```markdown\n# A\n```", "# A\n"),
        ("notes", "```sh\nls\n```\n```c\nint x;\n```", "int x;\n"),
        ("notes", "```sh\nls\n```", "ls\n"),
        ("notes", "no code", None),
    ],
)
def test_the_code_that_was_asked_for_is_found(name: str, answer: str, code: str | None) -> None:
    assert asked_code(answer, language_of(name)).program == code


def test_a_fence_in_a_docstring_ends_no_program() -> None:
    program = f'"""\n```\nx\n```\n"""\n{PROGRAM}'
    assert asked_code(f"```python\n{program}```\n", language_of("a.py")).program == program


def test_code_that_was_cut_off_is_told() -> None:
    cut = asked_code(f"```python\n{PROGRAM}", language_of("a.py"), Finish.LENGTH)
    assert (cut.program, cut.is_trimmed) == (PROGRAM, True)


@pytest.mark.parametrize(
    "answer", ["```" * 500, "```python\n" * 300, "\x00\ud800```\n\x1b[", "~" * 9]
)
def test_hostile_answers_end_in_nothing_worse_than_no_code(answer: str) -> None:
    for name in ("a.py", "a.js", "a.md", "a.html", "x"):
        asked_code(answer, language_of(name))
