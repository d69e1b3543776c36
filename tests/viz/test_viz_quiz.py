"""quiz: every option explained, exactly one right, safe and complete HTML."""

import copy
from html.parser import HTMLParser

import pytest

from mbrl_edu.viz import quiz

QUESTIONS = [
    {
        "question": "Does a longer rollout trust the model more?",
        "options": [
            ("Yes", True, "Every step adds an error of the model."),
            ("No", False, "The model makes every step but the first state."),
        ],
    },
    {
        "question": "What is `k` in $s_{t+k}$?",
        "options": [
            ("The rollout length", True, "It counts imagined steps."),
            ("The number of members", False, "That is $B$."),
            ("The horizon <H>", False, "That is the planner's & another letter."),
        ],
    },
]


class Tags(HTMLParser):
    """Opens and closes every tag of a page and collects their attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("input", "img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_option_and_explanation_is_in_the_page():
    figure = quiz(QUESTIONS)
    tags = Tags(figure.html)
    assert tags.open == []
    radios = [a for t, a in tags.seen if t == "input"]
    assert [r["name"] for r in radios] == ["q1"] * 2 + ["q2"] * 3
    assert [r["value"] for r in radios] == ["right", "wrong"] + ["right"] + [
        "wrong"
    ] * 2
    assert figure.html.count("\u2713 Right.") == 2
    assert figure.html.count("\u2717 Not right.") == 3
    assert "The horizon &lt;H&gt;" in figure.html
    assert "planner&#x27;s &amp; another" in figure.html
    assert "<code>k</code>" in figure.html
    assert "<i>s</i><sub><i>t</i>+<i>k</i></sub>" in figure.html
    assert repr(figure).endswith("quiz of 2 questions: Check yourself>")


def broken(path, value):
    questions = copy.deepcopy(QUESTIONS)
    *way, last = path
    target = questions
    for key in way:
        target = target[key]
    target[last] = value
    return questions


@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ([], ["questions is empty"]),
        (QUESTIONS[0], ["questions is empty"]),
        ([*QUESTIONS, "Why?"], ["question 3", "'Why?'"]),
        (broken([1, "question"], " "), ["question 2", "ask"]),
        (broken([1, "options", 2], ("C", True, "why")), ["question 2", "2 right"]),
        (broken([0, "options", 0], ("C", False, "why")), ["question 1", "0 right"]),
        (
            broken([1, "options", 1], ("B", False, "")),
            ["option 2", "question 2", "'B'"],
        ),
        (broken([1, "options", 1], ("B", False)), ["option 2", "question 2"]),
        (broken([1, "options", 1], "B"), ["option 2", "question 2"]),
        (broken([1, "options", 1], ("", False, "why")), ["option 2", "say"]),
        (broken([1, "options", 1], ("B", 0, "why")), ["option 2", "right = 0"]),
        (broken([0, "options"], [("A", True, "why")]), ["question 1", "1 options"]),
        (broken([0, "options", 1], ("Yes", False, "why")), ["question 1", "twice"]),
        (broken([0, "hint"], "none"), ["question 1", "keys"]),
    ],
)
def test_bad_questions_are_named(questions, words):
    with pytest.raises(ValueError) as caught:
        quiz(questions)
    for word in words:
        assert word in str(caught.value)
