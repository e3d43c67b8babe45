"""Feature visualisation of the target's logit with pictures whose spectrum is that of clean images."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.parameterisation import Phase, spectrum
from gifthorse.tools.synthesis.visualising import Viewing


class MacoTarget(Viewing, Synthesis):
    """Whole pictures that maximise the target's logit, of which only the Fourier phases are free.

    Fel et al. 2023, "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
    (equation 3): magnitudes are the mean of natural images and stay. Here those of the clean images that the tool is
    given, in decorrelated colours. The loss is that of ``fourier_target``. Differs from the authors' code (Horama) in
    the optimiser (Adam; there NAdam at a rate of 1), in what is looked at (whole turned views; there crops of a fifth
    to a quarter of a picture of 1,280 pixels, with noise), since a classifier's input of 64 pixels has no crops to
    spare, and in that no transparency is made of the gradient.

    Attributes:
        learning_rate: of Adam, in radians; ours.
    """

    needs = frozenset({"gradients", "clean_images"})

    learning_rate: float = 0.1

    def _synthesise(self, task: Task) -> Made:
        side = self.side(task)
        drawn = Phase(spectrum(task.clean.fit, side), side, task.generators("phases"), task.classifier.device)
        return self.seek(task, drawn, self.learning_rate)
