"""Quizzes written as text."""

import pytest

from mbrl_edu.viz import quiz
from mbrl_edu.viz.quizzes import read_quiz

TEXT = """
? What is
  one?
+ 1 | It is.
- 2 | That is
  two.
? And $\\gamma$?
- no | no, a | b
+ yes | yes
"""


def test_text_and_dicts_give_the_same_quiz():
    questions = [
        {
            "question": "What is one?",
            "options": [("1", True, "It is."), ("2", False, "That is two.")],
        },
        {
            "question": "And $\\gamma$?",
            "options": [("no", False, "no, a | b"), ("yes", True, "yes")],
        },
    ]
    assert read_quiz(TEXT) == questions
    assert quiz(TEXT).html == quiz(questions).html


@pytest.mark.parametrize("bad", ["+ 1 | first", "? a\n+ 1", "? a\n* 1 | x", "what"])
def test_bad_lines_are_named(bad):
    with pytest.raises(ValueError, match="the quiz has the line"):
        quiz(bad)


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError, match="questions is empty"):
        quiz("  ")
