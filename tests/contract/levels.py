"""Every tool of the contract table on a tiny network: the hash of what it gives, as JSON on stdout."""

from __future__ import annotations

import hashlib
import json
import sys

import torch
from fixtures_nets import classifier
from test_tools import PROMISES, losses, made, name_of, use, values


def hashes() -> dict[str, str]:
    """Promise to the SHA-256 of its maps, or of its pictures and losses."""
    torch.set_num_threads(1)
    network = classifier("reused")
    found = {}
    for promise in PROMISES:
        result = use(made(promise), network)
        told = values(result).numpy().tobytes() + repr(losses(result)).encode()
        found[name_of(promise)] = hashlib.sha256(told).hexdigest()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(hashes()))
