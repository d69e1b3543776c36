"""Pictures behind sliders, and films."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from test_viz_curves import data_of

from mbrl_edu.viz import figure_frames, film, frame_player, video
from mbrl_edu.viz import frames as frames_module


def pictures(n=4, size=(40, 60)):
    """Plain pictures whose grey tells their number."""
    return [np.full((*size, 3), 40 * i, "u1") for i in range(n)]


def decode(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


def test_the_pictures_travel_in_order():
    figure = frame_player(
        pictures(), {"a": [1, 2], "b": [1, 2]}, alt="greys", start={"a": 1}
    )
    texts = data_of(figure)["frames"]
    for i, text in enumerate(texts):
        np.testing.assert_allclose(decode(text), 40 * i, atol=2)
    image = re.search(r'<img [^>]*src="data:image/webp;base64,([^"]+)"', figure.html)
    assert image[1] == texts[2]
    assert 'width="60" height="40"' in image[0]


def test_one_slider_that_plays_unless_others_are_given():
    data = data_of(frame_player(pictures(), alt="greys", interval=90))
    assert data["sliders"] == [
        {"name": "frame", "values": ["1", "2", "3", "4"], "start": 0, "play": 90}
    ]
    sliders = data_of(frame_player(pictures(), {"a": range(4)}, alt="x"))["sliders"]
    assert "play" not in sliders[0]


def test_plots_lose_nothing():
    from matplotlib.figure import Figure

    def draw(k):
        figure = Figure(figsize=(3, 2))
        figure.add_subplot().plot([0, 1], [0, k])
        return figure

    drawn = figure_frames(draw, [1, 2, 3], dpi=100)
    assert drawn.shape == (3, 200, 300, 3)
    texts = data_of(frame_player(drawn, {"k": [1, 2, 3]}, alt="lines"))["frames"]
    for text, picture in zip(texts, drawn, strict=True):
        np.testing.assert_array_equal(decode(text), picture)


def test_figures_are_called_for_every_combination_and_closed():
    from matplotlib import pyplot as plt

    calls = []

    def draw(a, b):
        calls.append((a, b))
        return plt.figure(figsize=(2, 1))

    before = plt.get_fignums()
    drawn = figure_frames(draw, {"a": [1, 2], "b": [3, 4, 5]})
    assert calls == [(a, b) for a in (1, 2) for b in (3, 4, 5)]
    assert len(drawn) == 6
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("frames", "more", "words"),
    [
        (pictures(), {"alt": None}, "alt"),
        (pictures(3), {"sliders": {"a": [1, 2]}}, "frames has 3"),
        (pictures(1), {}, "at least 2"),
        ([*pictures(1), *pictures(1, (40, 61))], {}, "61 x 40"),
        ([p.astype(float) for p in pictures()], {}, "uint8"),
        ([p[..., 0] for p in pictures()], {}, "frames[0] has shape (40, 60)"),
        (pictures(), {"notes": ["one"]}, "notes has 1"),
        (pictures(), {"quality": 0}, "quality"),
        (pictures(), {"sliders": {"a": range(4)}, "play": "b"}, "play"),
    ],
)
def test_bad_input_is_refused(frames, more, words):
    with pytest.raises(ValueError) as caught:
        frame_player(frames, **({"alt": "greys"} | more))
    assert words in str(caught.value)


def test_figures_of_different_size_are_refused():
    from matplotlib.figure import Figure

    with pytest.raises(ValueError, match="size of the first"):
        figure_frames(lambda k: Figure(figsize=(k, 1)), [1, 2])
    with pytest.raises(ValueError, match="empty"):
        figure_frames(lambda k: Figure(), [])


def test_too_many_bytes_are_refused(monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("u1")
    limits = {"size": 0}

    def refuse(size, what):
        limits["size"] = size
        raise ValueError(what)

    monkeypatch.setattr(frames_module, "check_size", refuse)
    with pytest.raises(ValueError, match="the frames"):
        frame_player(noise, alt="noise")
    assert limits["size"] > 2 * 64 * 64  # noise does not shrink


def moving(n=12, size=(45, 61)):
    frames = np.zeros((n, *size, 3), "u1")
    for t in range(n):
        frames[t, :, 4 * t : 4 * t + 8] = 255
    return frames


def test_a_film_comes_back_frame_by_frame():
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    figure = video(moving(), fps=10, alt="a bar that moves right")
    raw = re.search(r'src="data:video/mp4;base64,([^"]+)"', figure.html)[1]
    assert "controls" in figure.html and "autoplay" not in figure.html
    with film.tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(base64.b64decode(raw))
        file.flush()
        reader = imageio_ffmpeg.read_frames(file.name)
        meta = next(reader)
        frames = [np.frombuffer(f, "u1").reshape(46, 62, 3) for f in reader]
    assert meta["codec"] == "h264" and meta["fps"] == 10
    assert len(frames) == 12
    middles = [f[:, :, 0].astype(float).mean(0).argmax() for f in frames]
    assert all(4 * t - 2 <= m <= 4 * t + 10 for t, m in enumerate(middles))


def test_the_same_frames_give_the_same_film():
    pytest.importorskip("imageio_ffmpeg")
    assert video(moving(), alt="bar").html == video(moving(), alt="bar").html


def test_without_an_encoder_one_line_stands_in(monkeypatch):
    monkeypatch.setattr(film, "_encoder", lambda: None)
    figure = video(moving(), alt="a bar")
    assert "Video left out" in figure.html and "<video" not in figure.html
    with pytest.raises(ValueError, match="uint8"):
        video(moving().astype(float), alt="a bar")
    with pytest.raises(ValueError, match="alt"):
        video(moving(), alt=" ")
