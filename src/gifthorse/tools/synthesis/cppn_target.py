"""Feature visualisation of the target's logit with pictures from small networks."""

from __future__ import annotations

from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.visualising import Networks


class CppnTarget(Networks, Synthesis):
    """Whole pictures that maximise the target's logit, drawn by compositional pattern-producing networks (CPPN).

    Mordvintsev et al. 2018, "Differentiable Image Parameterizations"; settings of Lucent (commit 6123386), which
    thesis 5.3.1 used. The loss is minus the target's logit, mean over transformed views; the screened loss is minus the
    logit of the untransformed picture. No clean image is looked at: the picture is the whole image. Pictures begin as
    patterns: from Lucent's flat grey (``last=0``), within the 200 steps of a small budget, two in three pictures of a
    planted trigger on a small network ended in one flat colour; from patterns, one in fifteen. What differs in how
    pictures are looked at: ``visualising.Viewing``.
    """

    needs = frozenset({"gradients"})

    def _synthesise(self, task: Task) -> Made:
        return self.seek(task, self.drawn(task), self.learning_rate)
