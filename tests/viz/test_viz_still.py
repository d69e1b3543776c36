"""Pictures: alternative text and caption travel with them, figures show once."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from mbrl_edu.viz import picture


def test_alt_and_caption_are_in_the_page_and_escaped():
    figure, ax = plt.subplots()
    ax.plot([1, 2])
    made = picture(figure, alt='a "line" <up>', caption="Over $n$ seeds, `run`.")
    assert 'alt="a &quot;line&quot; &lt;up&gt;"' in made.html
    assert "<code>run</code>" in made.html and "data:image/webp;base64," in made.html
    assert not plt.fignum_exists(figure.number)  # else a notebook shows it twice


def test_size_is_that_of_the_figure_whatever_the_resolution():
    sizes = set()
    for dpi in (80, 160):
        figure, _ = plt.subplots(figsize=(5, 2))
        html = picture(figure, alt="empty axes", dpi=dpi).html
        sizes.add(html.split("<img")[1].split('width="')[1].split('"')[0])
    assert sizes == {str(5 * 96)}


def test_pixels_are_taken_too():
    made = picture(np.zeros((7, 9, 3), np.uint8), alt="black")
    assert 'width="9" height="7"' in made.html


@pytest.mark.parametrize(
    ("figure", "alt", "sentence"),
    [
        (np.zeros((7, 9, 3), np.uint8), " ", "alt"),
        (np.zeros((7, 9, 3)), "black", "figure has shape"),
        (None, "nothing", "figure has shape"),
    ],
)
def test_bad_input_is_refused(figure, alt, sentence):
    with pytest.raises(ValueError, match=sentence):
        picture(figure, alt=alt)
