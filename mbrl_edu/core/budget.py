"""How much work a page of the book does."""

import os
from typing import TypeVar

from mbrl_edu.core import check

T = TypeVar("T")


def budget(full: T, quick: T) -> T:
    """``full``, or ``quick`` where ``MBRL_EDU_BUDGET=quick`` is set.

    The book is built with full budgets. The tests, which run every notebook too, set
    the variable to ``quick``. It is read here and nowhere else.
    """
    wanted = os.environ.get("MBRL_EDU_BUDGET", "full")
    check.choice("MBRL_EDU_BUDGET", wanted, ["full", "quick"])
    return quick if wanted == "quick" else full
