"""What shipped weights say of themselves, read without torch: which drawings a generator or a classifier knows."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from gifthorse.errors import InputError

WEIGHTS = Path(__file__).parent / "weights"
"""Where shipped weights are."""

LONGEST = 1 << 22
"""Bytes of a header that is read: ours have a few tens of thousands."""


@functools.lru_cache(maxsize=16)
def drawings(path: Path) -> tuple[str, ...]:
    """Names of the drawings that a safetensors file of ours knows, by index.

    Raises:
        InputError: the file is missing, or does not say it.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > LONGEST:
                raise ValueError(f"a header of {length} bytes")
            told = json.loads(file.read(length))["__metadata__"]["drawings"]
        return tuple(json.loads(told))
    except FileNotFoundError:
        raise InputError(f"the weights {path.name} are not there", "scripts/train-zoo makes them") from None
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path.name} does not say which drawings it knows: {error}", "weights of ours") from None
