from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_tasks.challenge import Challenge
from crucible_tasks.completion import Finish, Form
from crucible_tasks.extraction import extract
from extraction_challenges import CHALLENGES

#: where the process finds what is beside the tests; without pytest, which takes it half a second
TESTS = Path(__file__).resolve().parents[2]

#: generous beside the second an extraction may take, because test hosts are shared
MOST_CPU_SECONDS = 6

# kept as expressions, so that a test's name is its text
HOSTILE = (
    '"("*100_000', '"["*10**6', '"("*10**5+"1"+")"*10**5', '"-"*10**6+"1"', '"not "*10**6+"1"',
    '"a."*10**6+"a"', '"lambda:"*10**6+"1"', '"1+"*10**6+"1"', '"2**"*10**5+"1"', '"f"+"()"*10**5',
    '"1 if 1 else "*10**5+"1"', '"if a:\\n p\\n"+"elif a:\\n p\\n"*20_000', '"a,"*500_000',
    '"\\n".join(" "*i+"if 1:" for i in range(1400))', '"f\'{"*10**5', '"9"*10**6', '"a"*10**7',
    '"a=1\\n"*70_000', '"def f(x): return x\\n"*10_000', '"x = 3\\nbut it\'s so.\\n"*8_000',
    '"```python\\n"*25_000', '"```\\nf = 1\\n```\\n"*8_000', '"```\\nf = (1\\n```\\n"*8_000',
    '"~~~\\n"*100_000', '"`"*10**6', '" "*10**5', '"\\r"*10**5', '"\\0"*10**5', '"\\ud800"*10**5',
    '"<think>\\n"*10**5', '"</think>"*10**5', '"\\x1b["*10**5', '"f"+" "*10**6+"="', '"f "*10**5',
    '"let {"*10**5', '"function"+" "*10**6', '"}\\n"*10**5', '"class f"+" "*10**6',
    '"".join(f"def h{i}(): return h{i-1}()\\n" for i in range(9000, 0, -1))',
)  # fmt: skip


@pytest.mark.parametrize("expression", HOSTILE)
def test_no_text_kills_the_interpreter_or_takes_long(expression: str) -> None:
    # in a process of its own: a parser that overflows the C stack takes its process along
    script = f"""
import resource
from extraction_challenges import CHALLENGES
from crucible_tasks.completion import Form
from crucible_tasks.extraction import extract
text = {expression}
fenced, behind_body = "```python\\n" + text + "\\n```\\n", "    return x\\n" + text
for shape, form, number in (
    (text, Form.RESPONSE, 0), (fenced, Form.RESPONSE, 0), (fenced, Form.RESPONSE, 2),
    (behind_body, Form.CONTINUATION, 0), (text, Form.RESPONSE, 3), (text, Form.CONTINUATION, 3),
):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    extract(shape, form, CHALLENGES[number])
    spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
    assert spent < {MOST_CPU_SECONDS}, (form, number, spent)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=TESTS, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_four_thousand_lines_take_less_than_a_second() -> None:
    lines = "".join(f"    x = x + {number} * len([{number}])\n" for number in range(4000))
    text = f"Sure:\n\n```python\ndef f(x):\n{lines}    return x\n```\n\nDone.\n"
    before = time.process_time()
    found = extract(text, Form.RESPONSE, CHALLENGES[0])
    # tenfold headroom for slow hosts: about 0.1 s
    assert time.process_time() - before < 1
    assert found.method == "fence"


PIECES = st.lists(
    st.sampled_from(
        [
            "```", "```python\n", "\n```\n", "~~~\n", "````", "<think>", "</think>", "\n", "    ",
            "def f(x):\n", "    return x + 1\n", "class f:\n", "f = lambda x: x\n", "import f\n",
            '"""', "'", "(", "]", "#", "\\", "\r\n", "\x1b[1m", "\0", "\ud800", "- ", "1. ", ":",
            "from __future__ import annotations\n", "print(f(1))\n", "const f = () => {\n", "}\n",
            "function f() {", "f = require('f')\n", "def h(): f()\n", "f.a = h\n", "<|im_end|>",
        ]
    ) | st.text(max_size=12),
    max_size=30,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(PIECES, st.sampled_from(CHALLENGES), st.sampled_from(Form), st.sampled_from(Finish))
def test_extraction_never_raises_and_always_agrees_with_itself(
    pieces: list[str], challenge: Challenge, form: Form, finish: Finish
) -> None:
    text = "".join(pieces)
    found = extract(text, form, challenge, finish)
    assert found == extract(text, form, challenge, finish)
    assert (found.program is None) == (found.method == "none")
    if form is Form.SOLUTION:
        assert found.program == text
    if form is Form.COMPLETION:
        assert found.program == challenge.prompt + text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_nothing_is_deleted_from_a_block_that_parses(before: str, string: str) -> None:
    code = f"def f(x):\n    return {string!r}\n\nprint('kept')\n"
    prose = before.replace("`", "").replace("~", "").replace("<", "").replace("[", "")
    text = f"{prose}\n\n```python\n{code}```\n"
    found = extract(text, Form.RESPONSE, CHALLENGES[1])
    assert found.program == code
