"""Figures, quizzes and films that stay alive in a page without kernel or network.

Every value is computed in Python and travels in the figure; a small script, part of the
figure, looks values up and draws them. Matplotlib, Pillow and imageio-ffmpeg are loaded
only by the functions that need them.
"""

from mbrl_edu.viz.curves import curve_explorer
from mbrl_edu.viz.figure import StaticFigure
from mbrl_edu.viz.film import video
from mbrl_edu.viz.frames import figure_frames, frame_player
from mbrl_edu.viz.grids import grid_player
from mbrl_edu.viz.maze import maze_player, maze_values
from mbrl_edu.viz.quizzes import quiz
from mbrl_edu.viz.still import picture

__all__ = [
    "StaticFigure",
    "curve_explorer",
    "figure_frames",
    "frame_player",
    "grid_player",
    "maze_player",
    "maze_values",
    "picture",
    "quiz",
    "video",
]
