"""Feature visualisation of the neurons behind the target, with pictures from small networks."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.visualising import Networks


class CppnInner(Networks, Synthesis):
    """Whole pictures that maximise the penultimate neurons on which the target's logit depends most, drawn by CPPNs.

    Thesis 5.3.1: neurons are ranked by how much the target's logit rises on clean images when one is doubled, and each
    of the first ten is visualised. Drawn as ``cppn_target`` draws, with the same settings; findings are for different
    neurons, and the best run of each neuron is kept, in the order of importance.

    Attributes:
        neurons: that are visualised (thesis: 10); never more than findings.
    """

    needs = frozenset({"gradients", "activations", "clean_images"})

    neurons: int = 10

    def _synthesise(self, task: Task) -> Made:
        return self.seek_inner(task, self.drawn(task), self.learning_rate, self.neurons)
