"""Feature visualisation of the target's logit with pictures drawn as Fourier coefficients."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.visualising import Waves


class FourierTarget(Waves, Synthesis):
    """Whole pictures that maximise the target's logit, drawn as Fourier coefficients with decorrelated colours.

    Olah, Mordvintsev and Schubert 2017, "Feature Visualization", with the settings of Lucent (commit 6123386), which
    thesis 5.3.1 used: each frequency scaled by one over itself, colours in the principal axes of natural images, a
    sigmoid. The loss is minus the target's logit, mean over transformed views; the screened loss is minus the logit of
    the untransformed picture. What differs in how pictures are looked at: ``visualising.Viewing``.
    """

    needs = frozenset({"gradients"})

    def _synthesise(self, task: Task) -> Made:
        return self.seek(task, self.drawn(task), self.learning_rate)
