"""Feature visualisation of the neurons behind the target, with pictures from small networks."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.parameterisation import Cppn
from gifthorse.tools.synthesis.visualising import Viewing


class CppnInner(Viewing, Synthesis):
    """Whole pictures that maximise the penultimate neurons on which the target's logit depends most, drawn by CPPNs.

    Thesis 5.3.1: neurons are ranked by how much the target's logit rises on clean images when one is doubled, and each
    of the first ten is visualised. Drawn as ``cppn_target`` draws, with the same settings; findings are for different
    neurons, and the best run of each neuron is kept, in the order of importance.

    Attributes:
        neurons: that are visualised (thesis: 10); never more than findings.
        learning_rate, layers, hidden, last: as in ``cppn_target``.
    """

    needs = frozenset({"gradients", "activations", "clean_images"})

    neurons: int = 10
    learning_rate: float = 0.005
    layers: int = 8
    hidden: int = 24
    last: float = 1.0

    def _synthesise(self, task: Task) -> Made:
        drawn = Cppn(
            self.side(task),
            task.generators("networks"),
            task.classifier.device,
            layers=self.layers,
            hidden=self.hidden,
            last=self.last,
        )
        return self.seek_inner(task, drawn, self.learning_rate, self.neurons)
