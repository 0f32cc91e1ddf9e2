"""Asks every operation of the API many questions, and prints the answers and what is wrong of them.

python tests/performance/api_document.py [QUESTIONS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import api_questions
from served import served


def main() -> None:
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    asked = problems = 0
    with tempfile.TemporaryDirectory() as directory, served(Path(directory), works=True) as server:
        for one in api_questions.ask(server, questions):
            print(one.operation, one.statuses, flush=True)
            for problem in one.problems:
                print(f"    {problem}", flush=True)
            asked += sum(one.statuses.values())
            problems += len(one.problems)
    print(f"{asked} answers, {problems} problems")


if __name__ == "__main__":
    main()
