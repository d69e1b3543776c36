"""A study's quick version beside the rows that are stored."""

import numpy as np

from mbrl_edu.experiment.studies import load_study, run_study

KEYS = ["statement", "kind", "world", "toward", "method", "alpha", "share", "f"]
KEYS += ["seed", "n", "n_data", "n_real", "S", "k"]
KEYS += ["family", "region", "task", "path"]


def beside_stored(name, tmp_path):
    """Yields (table's name, rows of both, columns to compare as `x` and `x_stored`)."""
    path = run_study(name, workers=1, out=tmp_path, folder=tmp_path / "r", quick=True)
    quick, stored = load_study(name, path.parent), load_study(name)
    assert quick.tables.keys() == stored.tables.keys()
    for key, table in quick.tables.items():
        whole = stored.tables[key]
        assert list(table.columns) == list(whole.columns)
        by = [c for c in table.columns if c in KEYS]
        both = table.merge(whole, on=by, suffixes=("", "_stored"))
        assert len(both) == len(table)
        yield key, both, [c for c in table.columns if c not in by]


def assert_alike(both, columns):
    """Equal up to what another processor's rounding may change.

    A ratio above 1 can be a division by almost nothing: it need only stay above 1. An
    instance on the border may be counted as a violation or not.
    """
    for column in columns:
        x, y = (both[c].to_numpy(float) for c in (column, f"{column}_stored"))
        if column in ("max", "p95"):
            assert ((x > 1 + 1e-6) == (y > 1 + 1e-6)).all(), column
            x, y = x[y <= 1], y[y <= 1]
        room = 1 if (y == y.round()).all() else 1e-6
        if column == "violations":
            room = 1 + 0.01 * both["instances"].to_numpy()
        assert (np.abs(x - y) <= room + 1e-3 * np.abs(y)).all(), column
