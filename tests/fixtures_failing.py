"""A tool that fails on whatever it is shown."""

from __future__ import annotations

from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained


class Failing(Attribution):
    """Fails."""

    def _explain(self, explained: Explained) -> Tensor:
        raise ZeroDivisionError("this tool always fails")
