"""Feature visualisation of the neurons behind the target, with pictures drawn as Fourier coefficients."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.parameterisation import Fourier
from gifthorse.tools.synthesis.visualising import Viewing


class FourierInner(Viewing, Synthesis):
    """Whole pictures that maximise the penultimate neurons on which the target's logit depends most.

    Thesis 5.3.1: neurons are ranked by how much the target's logit rises on clean images when one is doubled, and each
    of the first ten is visualised. Drawn as ``fourier_target`` draws, with the same settings; findings are for
    different neurons, and the best run of each neuron is kept, in the order of importance.

    Attributes:
        neurons: that are visualised (thesis: 10); never more than findings.
        learning_rate, deviation, decay: as in ``fourier_target``.
    """

    needs = frozenset({"gradients", "activations", "clean_images"})

    neurons: int = 10
    learning_rate: float = 0.05
    deviation: float = 1.0
    decay: float = 1.0

    def _synthesise(self, task: Task) -> Made:
        drawn = Fourier(
            self.side(task), task.generators("coefficients"), task.classifier.device, self.deviation, self.decay
        )
        return self.seek_inner(task, drawn, self.learning_rate, self.neurons)
