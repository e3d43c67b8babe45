"""What every test gets: no network, few threads, and a small run folder on request."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "2")
LOCAL = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that leaves this machine is an error in every test."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOCAL):
            raise AssertionError(f"a test asked for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
