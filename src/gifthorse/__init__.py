"""gifthorse: look a gift horse in the mouth.

Importing this package imports no torch: the public names load on first use.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Brief": "gifthorse.records",
    "Classifier": "gifthorse.classifier",
    "GifthorseError": "gifthorse.errors",
    "JUDGES": "gifthorse.judges",
    "Store": "gifthorse.store",
    "TOOLS": "gifthorse.tools",
    "brief": "gifthorse.tools.synthesis.base",
    "show": "gifthorse.notebook",
    "suite": "gifthorse.suites",
    "tidy_tables": "gifthorse.tables",
    "tool": "gifthorse.tools",
}

__all__ = [
    "JUDGES",
    "TOOLS",
    "Brief",
    "Classifier",
    "GifthorseError",
    "Store",
    "__version__",
    "brief",
    "show",
    "suite",
    "tidy_tables",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gifthorse' has no attribute {name!r}; it has {', '.join(sorted(_WHERE))}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
