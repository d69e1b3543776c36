import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from mbrl_edu.experiment import claims, registry, studies
from mbrl_edu.experiment.claims import CLAIMS, Html, Verdict, claims_table, judge

GOOD = {"seeds": 5, "band": "95 %", "task": "maze", "command": "python -m x"}


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Claim L3 judged by a fake study; returns a function that stores its table."""
    claims.all_verdicts()
    monkeypatch.setattr(studies, "STUDIES", {})
    monkeypatch.setattr(claims, "VERDICTS", {})
    gains = []

    @studies.study("errors", title="Errors", page="03-models")
    def errors(workers, folder, quick=False):
        return pd.DataFrame({"seed": range(len(gains)), "gain": gains})

    @claims.verdict("L3", study="errors")
    def grows(study):
        gain = study.table["gain"]
        outcome = "holds" if gain.min() > 0 else "does not hold here"
        return Verdict(
            outcome,
            effect=f"error grows by {gain.mean():.2f} <per step> & more",
            seeds=len(gain),
            band="95% percentile bootstrap over seeds",
            task="line",
            command=study.command,
        )

    def store(values):
        gains[:] = values
        studies.run_study("errors", 1, tmp_path, tmp_path / "runs")
        return tmp_path

    return store


def parse(html):
    return ET.fromstring("<div>" + html.replace("<br>", "<br/>") + "</div>")


def cells(html, claim):
    for row in parse(html).iter("tr"):
        if row.find("th") is not None and row.find("th").get("id") == claim:
            return ["".join(td.itertext()) for td in row.findall("td")]
    raise AssertionError(f"no row for {claim}")


def test_the_list_is_complete_and_every_chapter_has_a_page():
    assert [c.id for c in CLAIMS] == [f"L{i}" for i in range(1, 32)]
    for claim in CLAIMS:
        assert claim.text.endswith(".") and len(claim.text) < 130, claim.id
        assert claim.lecture and claim.shown
        assert claim.chapters and set(claim.chapters) <= set(registry.PAGES)


def test_a_claim_without_a_study_is_not_yet_measured(measured, tmp_path):
    assert judge("L3", tmp_path) == {}  # a verdict, but nothing stored
    assert judge("L2", tmp_path) == {}
    row = cells(claims_table(folder=tmp_path), "L3")
    assert row[1] == "not yet measured" and row[3:6] == ["–"] * 3


def test_verdict_and_numbers_follow_the_stored_table(measured):
    folder = measured([1.0, 2, 3, 4, 5])
    found = judge("L3", folder)[""]
    assert found.verdict == "holds" and "by 3.00" in found.effect and found.seeds == 5
    assert found.command == "python -m mbrl_edu study errors"
    folder = measured([-1.0, 2, 3, 4, 5, 6])
    found = judge("L3", folder)[""]
    assert found.verdict == "does not hold here" and "by 3.17" in found.effect
    row = cells(claims_table(folder=folder), "L3")
    assert row[1] == "does not hold here" and row[3] == "6"
    assert "by 3.17 <per step> & more" in row[2] and "(line)" in row[2]
    assert row[5] == "python -m mbrl_edu study errors"


def test_the_table_is_accessible(measured):
    html = claims_table(pages=["02-dyna"], folder=measured([1.0] * 5))
    root = parse(html)
    (table,) = root.iter("table")
    assert table.find("caption").text == "31 claims of the lecture, 1 measured so far"
    heads = list(table.find("thead").iter("th"))
    assert len(heads) == 8 and all(h.get("scope") == "col" for h in heads)
    groups = table.findall("tbody")
    assert len(groups) == 31
    for row in (g.find("tr") for g in groups):
        assert row.find("th").get("scope") == "rowgroup"
        assert len(row.findall("td")) == 7
    region = table_parent(root)
    assert region.get("role") == "region" and region.get("aria-label")
    assert region.get("tabindex") == "0"


def test_a_claim_with_several_sides_has_a_row_for_each(measured):
    @claims.verdict("L3", study="errors", part="with <noise>")
    def noisy(study):
        return Verdict("holds with conditions", effect="twice", **GOOD)

    folder = measured([1.0] * 5)
    assert list(judge("L3", folder)) == ["", "with <noise>"]
    root = parse(claims_table(folder=folder))
    group = next(g for g in root.iter("tbody") if g.find("tr/th").get("id") == "L3")
    first, second = group.findall("tr")
    spans = [first.find("th"), first.findall("td")[0], first.findall("td")[-1]]
    assert [cell.get("rowspan") for cell in spans] == ["2", "2", "2"]
    assert len(second.findall("td")) == 5 and second.find("th") is None
    text = "".join(second.itertext())
    assert text.startswith("with <noise>: holds with conditions") and "twice" in text


def table_parent(root):
    return next(e for e in root.iter("div") if e.find("table") is not None)


def test_only_pages_that_exist_are_linked(measured, tmp_path):
    links = re.findall(r'href="([^"]*)"', claims_table(["02-dyna"], folder=tmp_path))
    assert links == ["02-dyna.html"] * 2  # L5 and L6
    assert "href" not in claims_table(folder=tmp_path)


def test_a_notebook_shows_it_as_html():
    html = Html("<b>x</b>")
    assert html._repr_html_() == "<b>x</b>" and html == "<b>x</b>"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"verdict": "proved"}, "verdict is 'proved'"),
        ({"seeds": 4}, "seeds is 4"),
        ({"effect": " "}, "effect is empty"),
        ({"command": ""}, "command is empty"),
    ],
)
def test_a_verdict_that_says_too_little_is_refused(given, sentence):
    base = {"verdict": "holds", "effect": "x"} | GOOD
    Verdict(**base)
    with pytest.raises(ValueError, match=sentence):
        Verdict(**(base | given))


def test_unknown_claims_are_refused():
    with pytest.raises(ValueError, match="claim is 'L32'"):
        judge("L32")
    with pytest.raises(ValueError, match="claim is 'L0'"):
        claims.verdict("L0", study="x")


def test_the_shipped_table_renders_and_every_verdict_has_a_recipe():
    parse(claims_table())
    known = studies.all_studies()
    for study, _ in claims.all_verdicts().values():
        assert study in known


def test_a_plain_table_escapes_its_texts_and_names_its_rows():
    html = claims.table_html(["a", "b"], [["x < y", "1"], ["z", "2"]], caption="Two")
    assert html.count("<tr>") == 3 and html.count('scope="row"') == 2
    assert "x &lt; y" in html and "<caption>Two</caption>" in html


def test_the_verdicts_of_a_page_come_with_their_rules():
    html = claims.verdicts_table(["L13", "L1", "L9"], "07-mbpo")
    parse(html)
    assert html.index("L1, MBPO on the inverted pendulum") < html.index("L13, as good")
    assert "L9" not in html.split("</caption>")[1]  # its studies are another page's
    assert "Holds: four in five runs of MBPO learn" in html and "5 seeds; Inv" in html
