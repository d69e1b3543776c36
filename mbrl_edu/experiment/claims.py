"""What the lecture claims, and what our runs say about each claim.

`CLAIMS` is the list. A verdict is a function from a stored study to a `Verdict`,

    @verdict("L6", study="dyna-planning")
    def planning_saves_episodes(study):
        ...
        return Verdict("holds", effect=f"... {numbers of study.table} ...", ...)

so that every number it shows is computed from the stored table. A claim without a
study reads "not yet measured".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mbrl_edu.core import check
from mbrl_edu.experiment.claims_list import CLAIMS, Claim
from mbrl_edu.experiment.parts import missing
from mbrl_edu.experiment.registry import PAGES
from mbrl_edu.experiment.studies import (
    Study,
    find_study,
    import_modules,
    load_study,
    stored_studies,
)

__all__ = [
    "CLAIMS",
    "Claim",
    "Html",
    "Verdict",
    "claims_table",
    "judge",
    "verdict",
    "verdicts_table",
]

OUTCOMES = ("holds", "holds with conditions", "does not hold here")
OPEN = "not yet measured"


@dataclass(frozen=True)
class Verdict:
    """How a claim came out, with all that is needed to doubt it."""

    verdict: str  # one of OUTCOMES
    effect: str  # one sentence whose numbers are computed from the stored table
    seeds: int  # independent repetitions, at least 5
    band: str  # what the band is: "95% percentile bootstrap over seeds"
    task: str  # what it was measured on
    command: str  # the shell command that reproduces the table

    def __post_init__(self) -> None:
        check.choice("verdict", self.verdict, OUTCOMES)
        check.integer("seeds", self.seeds, low=5)
        for name in ("effect", "band", "task", "command"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} is empty, but a verdict must say it.")


Judge = Callable[[Study], Verdict]
VERDICTS: dict[tuple[str, str], tuple[str, Judge]] = {}  # (claim, part) -> study, judge


def verdict(claim: str, study: str, part: str = "") -> Callable[[Judge], Judge]:
    """Decorator: the function judges `claim` by the stored tables of `study`.

    A claim with several sides has one function for each, told apart by `part`.
    """
    check.choice("claim", claim, [c.id for c in CLAIMS])

    def register(judge: Judge) -> Judge:
        VERDICTS[claim, part] = (study, judge)
        return judge

    return register


def all_verdicts() -> dict[tuple[str, str], tuple[str, Judge]]:
    """Every verdict function, after importing the modules that hold them."""
    import_modules("studies_")
    import_modules("verdicts_")
    return VERDICTS


def judge(claim: str, folder: str | Path | None = None) -> dict[str, Verdict]:
    """The verdicts on the claim with this id by part; empty when not yet measured.

    A study that is made seed by seed is judged once all of them are there. `folder`
    replaces the package's own stored tables.
    """
    check.choice("claim", claim, [c.id for c in CLAIMS])
    mine = {p: v for (c, p), v in all_verdicts().items() if c == claim}
    stored = stored_studies(folder)
    loaded = {n: load_study(n, folder) for n, _ in mine.values() if n in stored}
    whole = {n for n, s in loaded.items() if not missing(s, find_study(n).seeds)}
    return {
        part: function(loaded[name])
        for part, (name, function) in mine.items()
        if name in whole
    }


class Html(str):
    """A string of HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)


HEAD = ("Id", "Claim", "Verdict", "Measured", "Seeds", "Band", "Command", "Chapter")


def claims_table(pages: Collection[str] = (), folder: str | Path | None = None) -> Html:
    """All claims with their verdicts as an accessible HTML table.

    Parameters
    ----------
    pages : pages of the book that exist ("02-dyna"); chapters among them are linked.
    folder : replaces the package's own stored tables.
    """
    head = "".join(f'<th scope="col">{h}</th>' for h in HEAD)
    found = {c.id: judge(c.id, folder) for c in CLAIMS}
    rows = "\n".join(_rows(c, found[c.id], pages) for c in CLAIMS)
    measured = sum(bool(v) for v in found.values())
    caption = f"{len(CLAIMS)} claims of the lecture, {measured} measured so far"
    return Html(
        f"<style>{CSS}</style>"
        '<div class="claims" role="region" tabindex="0" aria-label="Table of claims">'
        f'<table class="wide"><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead>\n{rows}\n</table></div>"
    )


def _cell(label: str, inside: str, more: str = "") -> str:
    """A cell that names its column, for telephones, where each row becomes a card."""
    return f'<td data-label="{escape(label)}"{more}>{inside}</td>'


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Plain texts as an accessible table in the style of the table of claims."""
    table = '<table class="wide">' if len(head) > 4 else "<table>"
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(map(_cell, head[1:], map(escape, row[1:])))
        + "</tr>"
        for row in rows
    )
    return (
        f"<style>{CSS}</style>"
        f'<div class="claims" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}">'
        f"{table}<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>"
    )


def verdicts_table(
    ids: Sequence[str], page: str, folder: str | Path | None = None
) -> Html:
    """The verdicts on some claims by the studies of one page ("07-mbpo"), each with the
    rule that it follows, which is the docstring of its function. `folder` replaces the
    package's own stored tables.
    """
    rows = []
    for claim in [c for c in CLAIMS if c.id in ids]:
        for part, found in judge(claim.id, folder).items():
            study, function = VERDICTS[claim.id, part]
            if find_study(study).page == page:
                name = f"{claim.id}, {part}" if part else claim.id
                measured = f"{found.effect} ({found.seeds} seeds; {found.task})"
                rule = " ".join((inspect.getdoc(function) or "").split())
                rows.append((name, found.verdict, measured, rule))
    head = ("Claim", "Verdict", "Measured", "Rule")
    return Html(table_html(head, rows, f"Verdicts on {', '.join(ids)}"))


def _rows(claim: Claim, found: dict[str, Verdict], pages: Collection[str]) -> str:
    """One row per part, the claim and its chapters beside all of them."""
    text = escape(claim.text)
    text += f"<br><small>Lecture: {escape(claim.lecture)}</small>"
    chapters = ", ".join(_link(c, pages) for c in claim.chapters)
    rows = [_cells(part, v) for part, v in found.items()] or [_open(claim)]
    span = f' rowspan="{len(rows)}"' if len(rows) > 1 else ""
    before = f'<th scope="rowgroup" id="{claim.id}"{span}>{claim.id}</th>'
    before += _cell("Claim", text, span)
    after = _cell("Chapter", chapters, span)
    first, *more = rows
    lines = [f"<tr>{before}{first}{after}</tr>", *(f"<tr>{row}</tr>" for row in more)]
    return f"<tbody>{''.join(lines)}</tbody>"


def _open(claim: Claim) -> str:
    shown = f"To show: {escape(claim.shown)}"
    return (
        f'<td class="open">{OPEN}</td><td class="open">{shown}</td>'
        + 3 * '<td class="none">–</td>'
    )


def _cells(part: str, found: Verdict) -> str:
    kind = found.verdict.replace(" ", "-")
    about = f"<small>{escape(part)}: </small>" if part else ""
    measured = f"{escape(found.effect)} <small>({escape(found.task)})</small>"
    return (
        f'<td class="{kind}">{about}{found.verdict}</td>'
        + _cell("Measured", measured)
        + _cell("Seeds", str(found.seeds))
        + _cell("Band", escape(found.band))
        + _cell("Command", f"<code>{escape(found.command)}</code>")
    )


def _link(chapter: str, pages: Collection[str]) -> str:
    page = PAGES[chapter]
    return f'<a href="{page}.html">{chapter}</a>' if page in pages else chapter


# Colours come from the page, so that the table follows light and dark mode; the words
# carry the verdict, the bar at the left only repeats it.
CSS = """
.claims {overflow-x: auto; margin: 1em 0}
.claims:focus-visible {outline: 2px solid currentColor; outline-offset: 2px}
.claims table {border-collapse: collapse; font-size: .9em}
.claims .wide {min-width: 60em}
.claims caption {text-align: left; caption-side: top; padding: .3em 0}
.claims th, .claims td {text-align: left; vertical-align: top; padding: .4em .6em;
 border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent)}
.claims .open {font-style: italic}
.claims .holds, .claims .holds-with-conditions, .claims .does-not-hold-here
 {font-weight: 600; border-left: 4px solid}
.claims .holds {border-left-color: #009E73}
.claims .holds-with-conditions {border-left-color: #E69F00}
.claims .does-not-hold-here {border-left-color: #D55E00}
.claims td[data-label="Measured"] {min-width: 17em}
.claims td[data-label="Claim"] {min-width: 12em}
@media (max-width: 700px) {
 .claims .wide, .claims table, .claims caption, .claims tbody, .claims tr, .claims th,
 .claims td
  {display: block; min-width: 0; width: auto}
 .claims thead, .claims td.none {display: none}
 .claims td[data-label] {min-width: 0}
 .claims th, .claims td {border: 0; padding: .15em .6em}
 .claims tbody th {font-size: 1.1em; padding-top: .8em;
  border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent)}
 .claims td[data-label]::before {content: attr(data-label) ": "; font-weight: 600}
}
"""
