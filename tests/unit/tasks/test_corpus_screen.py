"""What overlaps a benchmark is found in every disguise, and cut out by whole statements."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from crucible_tasks.challenge import Challenge, Language, RepositoryTests, ScriptTests
from crucible_tasks.challenges import create, open_dataset
from crucible_tasks.challenges.dataset import Dataset
from crucible_tasks.corpus.corpus import Corpus, Document, Part
from crucible_tasks.corpus.cut import Lines, cut
from crucible_tasks.corpus.decontaminate import cleaned
from crucible_tasks.corpus.overlap import overlap
from crucible_tasks.corpus.report import CorpusReport, PartCount, Rule
from crucible_tasks.corpus.screen import Screen
from crucible_tasks.corpus.sources import Source

#: HumanEval/0 and /2 in disguise
RENAMED = """
class Sensor:
    @staticmethod
    def any_pair_near(self, values, limit=3):
        # compares all
        for i, one in enumerate(values):
            for j, other in enumerate(values):
                if i != j:
                    gap: float = abs(one - other)
                    if gap < limit:
                        return True
        return False
"""
#: HumanEval/162, whose import stood inside
IMPORTED = """
import hashlib as tools


def checksum(message: str):
    return tools.md5(message.encode("ascii")).hexdigest() if message else None
"""
EDITED = RENAMED.replace("        return False\n", "        log('none')\n        return False\n")
SMALL = "def truncate_number(value):\n    return value % 1.0\n"

HONEST = '''
def total(prices, rate):
    """Sum prices with tax."""
    result = 0.0
    for price in prices:
        result += price * (1 + rate)
    return round(result, 2)
'''


JAVASCRIPT = """
// The average of what was measured.
function average(values, weights = []) {
  let total = 0;
  let share = 0;
  for (let i = 0; i < values.length; i += 1) {
    const weight = weights[i] ?? 1;
    total += values[i] * weight;
    share += weight;
  }
  return share === 0 ? 0 : Math.round(total / share);
}
"""


@pytest.fixture(scope="module")
def humaneval() -> Dataset:
    return open_dataset("humaneval")


@pytest.fixture(scope="module")
def screen(humaneval: Dataset) -> Screen:
    return Screen([humaneval])


def _rules(screen: Screen, text: str, language: str = "python") -> set[tuple[str, Rule]]:
    return {(match.task_id, match.rule) for match in screen.matches(text, language)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (RENAMED, ("HumanEval/0", Rule.SYNTAX)),
        (EDITED, ("HumanEval/0", Rule.NEAR_COPY)),
        (IMPORTED, ("HumanEval/162", Rule.SYNTAX)),
        (SMALL, ("HumanEval/2", Rule.SYNTAX)),
    ],
)
def test_a_solution_in_disguise_is_found(
    screen: Screen, text: str, found: tuple[str, Rule]
) -> None:
    assert found in _rules(screen, text)


def test_every_solution_and_every_test_is_found(screen: Screen, humaneval: Dataset) -> None:
    for challenge in humaneval.challenges:
        assert challenge.reference is not None
        assert isinstance(challenge.tests, ScriptTests)
        bare = ast.unparse(ast.parse(challenge.reference))
        assert _rules(screen, bare), challenge.task_id
        assert _rules(screen, challenge.reference, "text"), challenge.task_id


def test_honest_code_is_left_alone(screen: Screen) -> None:
    numbers = f"TABLE = {list(range(100))}\nLETTERS = 'a b c d e f g h i j k l m n o p q'\n"
    for text in (HONEST, numbers, "def plus(a, b):\n    return a + b\n"):
        assert _rules(screen, text) == set()


def test_a_private_function_is_found_and_the_house_style_is_not() -> None:
    program = "import math\n" + HONEST
    challenge = Challenge("shop/1", Language.PYTHON, HONEST[:30], "total", ScriptTests(""), program)
    private = Screen([], create("mine", "crucible", [challenge]))
    style = HONEST.replace("total", "count").partition("    result")[0] + "    return prices\n"

    assert _rules(private, HONEST.replace("price", "cost")) == {("shop/1", Rule.SYNTAX)}
    assert _rules(private, HONEST, "text") == {("shop/1", Rule.WORDS)}
    assert _rules(private, style, "text") == set()
    assert private.screened[0].is_private


def test_of_a_private_method_the_class_around_it_is_no_leak() -> None:
    maker = "    def __init__(self, left, right):\n        self.left, self.right = left, right\n"
    method = textwrap.indent(HONEST.strip("\n"), "    ") + "\n"
    program = f"class Shop:\n{maker}\n{method}"
    challenge = Challenge("shop/1", Language.PYTHON, "", "total", ScriptTests(""), program)
    private = Screen([], create("mine", "crucible", [challenge]))

    assert _rules(private, f"class Other:\n{method}") == {("shop/1", Rule.SYNTAX)}
    assert _rules(private, f"class Other:\n{maker}") == set()


def test_a_function_is_cut_out_and_the_rest_stays(screen: Screen) -> None:
    source = Source("a.py", "python", f"import abc\n{HONEST}\n# from a benchmark\n{SMALL}\nX = 1\n")
    clean = cleaned(source, screen)

    assert clean.text == f"import abc\n{HONEST}\nX = 1\n"
    assert [(item.first_line, item.last_line, item.task_id) for item in clean.removed] == [
        (11, 12, "HumanEval/2")
    ]


def test_what_cannot_be_cut_takes_its_file_along(screen: Screen, humaneval: Dataset) -> None:
    reference = humaneval.by_id("HumanEval/0").reference or ""
    for text, language in ((reference, "ruby"), (f"print 'old'\n{reference}", "python")):
        clean = cleaned(Source("a", language, text), screen)
        assert clean.text is None
        assert clean.removed[0].task_id == "HumanEval/0"


def test_a_class_goes_when_nothing_is_left_in_it() -> None:
    text = 'class A:\n    """Doc."""\n\n    def f(self):\n        pass\n\n\nclass B:\n    x = 1\n'
    assert cut(text, ast.parse(text), [Lines(5, 5)]).text == "class B:\n    x = 1\n"
    two = text.replace("\n\n\nclass B", "\n\n    y = 2\n\n\nclass B")
    left = cut(two, ast.parse(two), [Lines(4, 4)])
    assert left.text == two.replace("    def f(self):\n        pass\n\n", "")
    assert left.numbers[2:5] == (3, 7, 8)


def test_the_overlap_of_a_corpus_is_told_by_part(humaneval: Dataset) -> None:
    documents = (
        Document("a.py", "python", RENAMED, Part.TRAIN),
        Document("b.py", "python", SMALL, Part.HELD_OUT),
        Document("c.py", "python", HONEST, Part.TRAIN),
    )
    report = CorpusReport(3, PartCount(), PartCount(), {}, (), (), (), (), ())
    found = overlap(Corpus("", documents, (), report), humaneval)

    assert {(item.path, item.task_id) for item in found.found} == {
        ("a.py", "HumanEval/0"),
        ("b.py", "HumanEval/2"),
    }
    assert found.trained_on == ("HumanEval/0",)
    assert found.share == 1 / 164


def test_the_class_around_a_method_of_the_own_tree_is_no_overlap() -> None:
    words = "what a customer of the shop has laid into it before anything is paid"
    head = f'class Cart:\n    """Everything {words}, and whatever came later."""\n\n'
    method = textwrap.indent(HONEST.strip("\n"), "    ") + "\n"
    tests = RepositoryTests("0" * 64, "a.py", "a", "Cart.total", 4, 9, ("test_a.py::test_total",))
    prompt, program = head + method[:40], head + method
    challenge = Challenge("shop/1", Language.PYTHON, prompt, "total", tests, program)
    own = create("mine", "crucible", [challenge])
    report = CorpusReport(1, PartCount(), PartCount(), {}, (), (), (), (), ())

    for text, shared in ((head + "    size = 1\n", ()), (program, ("shop/1",))):
        document = Document("a.py", "python", text, Part.TRAIN)
        assert overlap(Corpus("", (document,), (), report), own).trained_on == shared


def test_every_solution_of_mbpp_is_found(datasets_directory: Path) -> None:
    mbpp = open_dataset(str(datasets_directory / "mbpp.jsonl"))
    known = Screen([mbpp])
    missed = [c.task_id for c in mbpp.challenges if not known.matches(c.reference or "", "python")]

    assert missed == []


def _javascript(prompt: str = "const fs = require('fs');\n") -> Screen:
    program = prompt + JAVASCRIPT
    tests = RepositoryTests("0" * 64, "a.js", "a.js", "average", 3, 12, ("test/a.js::average",))
    challenge = Challenge("a.js:average", Language.JAVASCRIPT, prompt, "average", tests, program)
    return Screen([], create("mine", "crucible", [challenge]))


def test_a_private_javascript_function_is_found_under_other_names_and_edited() -> None:
    screen = _javascript()
    renamed = JAVASCRIPT
    for old, new in (("average", "mean"), ("total", "sum"), ("values", "xs"), ("weight", "w")):
        renamed = renamed.replace(old, new)
    edited = renamed.replace("  return", "  console.log(sum);\n  return")
    arrow = renamed.replace("function mean(xs, ws = [])", "export const mean = (xs, ws = []) =>")

    for text, rule in ((renamed, Rule.SYNTAX), (arrow, Rule.SYNTAX), (edited, Rule.NEAR_COPY)):
        assert _rules(screen, text, "javascript") == {("a.js:average", rule)}, text
    honest = "const fs = require('fs');\nfunction count(a) { return a.map((b) => b.length); }\n"
    assert _rules(screen, honest, "javascript") == set()


def test_a_private_javascript_function_is_cut_out_of_its_file() -> None:
    before = "const fs = require('fs');\n\n// kept\nexport const one = () => 1;\n"
    after = "\nmodule.exports = { average };\n"
    clean = cleaned(Source("a.js", "javascript", before + JAVASCRIPT + after), _javascript())

    assert clean.text == before + after
    assert [(one.first_line, one.last_line) for one in clean.removed] == [(7, 16)]
