"""The contract of every tool: one call that checks, seeds, times and counts; one method that does the science.

A tool is a frozen keyword-only dataclass whose fields are its settings (deriving from :class:`Tool` makes it one). It
is either abstract or final: nothing concrete is derived from. There are exactly two abstract children, since there
are two kinds of answer: ``Attribution`` (``attribution/base.py``) and ``Synthesis`` (``synthesis/base.py``).
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, dataclass_transform

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, UsageError

GRANTS = ("gradients", "activations", "clean_images", "encoder", "clean_network")
"""All that a suite can grant and a tool can need."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Tool(ABC):
    """A diagnostic method with its settings.

    Attributes:
        needs: what a suite must grant (:data:`GRANTS`); tables rank within equal needs.
        prepares: prepared inputs by name, given to a synthesis as ``assets``.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    prepares: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        for base in cls.__mro__[1:]:
            for name in cls.__dict__:
                if getattr(base.__dict__.get(name), "__final__", False):
                    raise TypeError(f"{cls.__name__}.{name} overrides what {base.__name__} declares final")
            if issubclass(base, Tool) and base is not Tool and not inspect.isabstract(base):
                raise TypeError(f"{cls.__name__} derives from {base.__name__}, which is final: hold it as a field")
        dataclass(frozen=True, kw_only=True)(cls)
        if unknown := set(cls.needs) - set(GRANTS):
            raise TypeError(f"{cls.__name__} needs {sorted(unknown)}, which no suite grants")

    @property
    def settings(self) -> dict[str, Any]:
        """Every field with its value."""
        return asdict(self)

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Declared final by the two children, each for its kind of answer."""


def check_classifier(classifier: Classifier) -> None:
    """A network under test is in eval mode.

    Raises:
        InputError: it is not.
    """
    if classifier.module.training:
        raise InputError(f"{classifier.name} is in training mode", "classifier.module.eval()")


def check_positive(tool: Any, *names: str) -> None:
    """Settings of a tool that are above 0, or None where they may be.

    Args:
        names: those that the tool does not have are passed over.

    Raises:
        UsageError: one is not.
    """
    for name in names:
        if (value := getattr(tool, name, None)) is not None and not value > 0:
            raise UsageError(f"{name} is {value}", "a number above 0")
