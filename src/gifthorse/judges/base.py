"""The contract of every judge: evidence in, a Verdict out, with the checks in one place. No classifier, no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Generic, ParamSpec, Protocol, final

from gifthorse.errors import InputError
from gifthorse.records import Evidence, Spec, Verdict, digest

P = ParamSpec("P")


class Encoder(Protocol):
    """What a judge needs of an image-text encoder. Tensors; typed loosely so that this file needs no torch.

    Attributes:
        scale: what cosines are multiplied by before a softmax.
        digest: of weights and vocabulary.
    """

    scale: float
    digest: str

    def images(self, images: Any, /) -> Any:
        """``(N, 3, H, W)`` float32 in [0, 1] to ``(N, D)`` of unit norm."""

    def texts(self, texts: list[str], /) -> Any:
        """M strings to ``(M, D)`` of unit norm."""


@dataclass(frozen=True, kw_only=True)
class Judge(ABC, Generic[P]):
    """Says how well a piece of evidence shows the true trigger. Fields of a subclass are its settings.

    What a judge looks at besides the evidence differs by judge and is the signature of its :meth:`judge`.
    """

    name: ClassVar[str]
    """Its row in the table ``judge``."""
    version: ClassVar[int]
    """Of that row; raised whenever its verdicts change."""
    judges: ClassVar[str]
    """The kind of evidence that it can score: ``attribution`` or ``synthesis``."""

    @final
    def __call__(self, evidence: Evidence, /, *args: P.args, **kwargs: P.kwargs) -> Verdict:
        """The verdict on one piece of evidence.

        Its ``evidence`` is the digest of the record; a stage, which knows the unit's key, puts that in its place.

        Args:
            evidence: of the kind that this judge scores. A refusal is not scored, with the tool's own reason.
            args: what :meth:`judge` of the subclass takes besides.
            kwargs: the same by name.

        Raises:
            InputError: evidence of the other kind, or arrays that do not belong to it.
        """
        if evidence.kind != self.judges:
            raise InputError(
                f"the {self.name} judge scores {self.judges} evidence, and {evidence.tool.name} left {evidence.kind}",
                "choose the judge whose kind is the tool's (gifthorse list)",
            )
        verdict = self.blank(evidence)
        if evidence.refusal is not None:
            return replace(verdict, not_scored=f"refused: {evidence.refusal}")
        return self.judge(verdict, evidence, *args, **kwargs)

    @abstractmethod
    def judge(self, verdict: Verdict, evidence: Evidence, /, *args: P.args, **kwargs: P.kwargs) -> Verdict:
        """The science: ``verdict`` with its measures, or with the reason why it was not scored."""

    @final
    def spec(self) -> Spec:
        """Name, version and settings."""
        return Spec(
            name=self.name, version=self.version, settings={f.name: getattr(self, f.name) for f in fields(self)}
        )

    @final
    def blank(self, evidence: Evidence) -> Verdict:
        """A verdict that says nothing yet."""
        return Verdict(
            judge=self.spec(),
            evidence=digest(evidence),
            network=evidence.network,
            tool=evidence.tool.name,
            trojan=evidence.trojan,
        )

    @final
    def seed(self, evidence: Evidence) -> int:
        """Seed of the bootstrap: from the judge and the evidence, so that the same two give the same interval."""
        return int(digest({"purpose": "bootstrap", "judge": self.spec(), "evidence": evidence})[:16], 16)
