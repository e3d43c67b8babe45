"""Feature visualisation of the target's logit with pictures drawn as Fourier coefficients."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.parameterisation import Fourier
from gifthorse.tools.synthesis.visualising import Viewing


class FourierTarget(Viewing, Synthesis):
    """Whole pictures that maximise the target's logit, drawn as Fourier coefficients with decorrelated colours.

    Olah, Mordvintsev and Schubert 2017, "Feature Visualization", with the settings of Lucent (commit 6123386), which
    thesis 5.3.1 used: each frequency scaled by one over itself, colours in the principal axes of natural images, a
    sigmoid. The loss is minus the target's logit, mean over transformed views; the screened loss is minus the logit of
    the untransformed picture. What differs in how pictures are looked at: ``visualising.Viewing``.

    Attributes:
        learning_rate: of Adam (Lucent: 0.05, constant).
        deviation: of the coefficients at the start (Lucent: 0.01, which is flat grey); ours. On flat grey most
            penultimate neurons of a small network are silent, and a silent one has no gradient to follow.
        decay: power of the frequency that a coefficient is divided by (Lucent: 1).
    """

    needs = frozenset({"gradients"})

    learning_rate: float = 0.05
    deviation: float = 1.0
    decay: float = 1.0

    def _synthesise(self, task: Task) -> Made:
        drawn = Fourier(
            self.side(task), task.generators("coefficients"), task.classifier.device, self.deviation, self.decay
        )
        return self.seek(task, drawn, self.learning_rate)
