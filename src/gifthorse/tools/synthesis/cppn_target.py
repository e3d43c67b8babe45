"""Feature visualisation of the target's logit with pictures from small networks."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.parameterisation import Cppn
from gifthorse.tools.synthesis.visualising import Viewing


class CppnTarget(Viewing, Synthesis):
    """Whole pictures that maximise the target's logit, drawn by compositional pattern-producing networks (CPPN).

    Mordvintsev et al. 2018, "Differentiable Image Parameterizations"; settings of Lucent (commit 6123386), which
    thesis 5.3.1 used. The loss is minus the target's logit, mean over transformed views; the screened loss is minus the
    logit of the untransformed picture. No clean image is looked at: the picture is the whole image. Pictures begin as
    patterns: from Lucent's flat grey (``last=0``), within the 200 steps of a small budget, two in three pictures of a
    planted trigger on a small network ended in one flat colour; from patterns, one in fifteen. What differs in how
    pictures are looked at: ``visualising.Viewing``.

    Attributes:
        learning_rate: of Adam (Lucent's notebook: 0.005, constant).
        layers, hidden: of each network (Lucent).
        last: the last layer's first weights, as a share of those that the other layers have (Lucent: 0); ours.
    """

    needs = frozenset({"gradients"})

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
        return self.seek(task, drawn, self.learning_rate)
