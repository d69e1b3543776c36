"""Multiple choice that explains every option, in a page without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mbrl_edu.viz.figure import StaticFigure, asset, markup, script


def quiz(
    questions: str | Sequence[Mapping[str, Any]], title: str = "Check yourself"
) -> StaticFigure:
    """A quiz: choosing an option shows whether it is right, and why.

    questions : a text as ``read_quiz`` takes it, or dicts of the form ::

        {"question": "Which error does a longer rollout add to?",
         "options": [("Model error", True, "Each step trusts the model once more."),
                     ("Sampling error of the real data", False, "No real step is ...")]}

    An option is (text, right, explanation); a question has 2 to 8 of them in the order
    they are shown, exactly one right. In all texts `code` is set as code and $formula$
    as a formula where the page has a typesetter.

    Raises ValueError, naming question and option, for anything else. Without
    JavaScript only the score line stays empty.
    """
    if isinstance(questions, str):
        questions = read_quiz(questions)
    if isinstance(questions, Mapping) or not list(questions):
        raise ValueError("questions is empty, but must be a list of at least one dict.")
    fields = []
    for i, question in enumerate(questions):
        text, options = _check(question, f"question {i + 1}")
        fields.append(_fieldset(i, text, options))
    version, code = script("quiz.js")
    parts = [
        f"<style>{asset('base.css', 'quiz.css')}</style>",
        f'<div class="mbrl-quiz" data-script="{version}">',
        f'<div class="mbrl-title">{markup(title)}</div>' if title else "",
        # method="dialog": the Enter key sends nothing and leaves the page where it is.
        '<form method="dialog" autocomplete="off">',
        *fields,
        '<p class="mbrl-score" role="status" aria-live="polite"></p></form>',
        f"{code}</div>",
    ]
    name = f"quiz of {len(fields)} question{'s' if len(fields) > 1 else ''}: {title}"
    return StaticFigure("quiz", "\n".join(p for p in parts if p), name)


def read_quiz(text: str) -> list[dict[str, Any]]:
    """Questions from lines that begin with ``?``, options from lines that begin with
    ``+`` (right) or ``-`` (wrong) and have the explanation after `` | ``; a line that
    is indented goes on where the line before ended.

    Raises ValueError, naming the line, for anything else.
    """
    questions: list[dict[str, Any]] = []
    lines: list[str] = []
    for line in filter(str.strip, text.splitlines()):
        if line[0].isspace() and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.strip())
    for line in lines:
        mark, words = line[0], line[1:].strip()
        option, bar, why = words.partition(" | ")
        if mark == "?":
            questions.append({"question": words, "options": []})
        elif mark in "+-" and bar and questions:
            questions[-1]["options"].append((option.strip(), mark == "+", why.strip()))
        else:
            raise ValueError(
                f"the quiz has the line {line!r}, but must have '? question', and then "
                "'+ right option | why' or '- wrong option | why not'."
            )
    return questions


def _check(question: Any, where: str) -> tuple[str, list[tuple[str, bool, str]]]:
    """The question's text and options; raises ValueError for a bad question."""
    if not isinstance(question, Mapping) or set(question) != {"question", "options"}:
        raise ValueError(
            f"{where} is {question!r}, but must be a dict with the keys 'question' and "
            "'options'."
        )
    text, options = question["question"], list(question["options"])
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{where} has the text {text!r}, but must ask something.")
    where = f"{where} ({text!r})"
    if not 2 <= len(options) <= 8:
        raise ValueError(f"{where} has {len(options)} options, but must have 2 to 8.")
    for k, option in enumerate(options):
        _check_option(option, f"option {k + 1} of {where}")
    right = sum(o[1] for o in options)
    if right != 1:
        raise ValueError(f"{where} has {right} right options, but must have exactly 1.")
    if len({o[0].strip() for o in options}) < len(options):
        raise ValueError(f"{where} has the same option twice.")
    return text, [tuple(o) for o in options]


def _check_option(option: Any, where: str) -> None:
    if not isinstance(option, (tuple, list)) or len(option) != 3:
        raise ValueError(
            f"{where} is {option!r}, but must be (text, right, explanation)."
        )
    text, right, why = option
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{where} has the text {text!r}, but must say something.")
    if not isinstance(right, bool):
        raise ValueError(f"{where} has right = {right!r}, but must be True or False.")
    if not isinstance(why, str) or not why.strip():
        raise ValueError(f"{where} ({text!r}) has no explanation, but must have one.")


def _fieldset(i: int, text: str, options) -> str:
    # Names of radio buttons count within their form only: two quizzes do not mix.
    parts = [f"<fieldset><legend>{i + 1}. {markup(text)}</legend>"]
    for option, right, why in options:
        look, verdict = (
            ("yes", "\u2713 Right.") if right else ("no", "\u2717 Not right.")
        )
        parts.append(
            f'<label class="mbrl-opt"><input type="radio" name="q{i + 1}" '
            f'value="{"right" if right else "wrong"}"><span>{markup(option)}</span>'
            f'</label><div class="mbrl-live" aria-live="polite">'
            f'<div class="mbrl-why mbrl-{look}"><strong>{verdict}</strong> '
            f"{markup(why)}</div></div>"
        )
    return "".join([*parts, "</fieldset>"])
