"""No network: with ``--offline``, a connection that leaves this machine is an error instead of a surprise."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from gifthorse.errors import InputError


def no_network() -> None:
    """From now on, refuse connections of this process that leave the machine."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _local(str(address[0])):
            raise InputError(
                f"--offline, and something asked for {address[0]}", "leave --offline out, or use local files"
            )
        connect(self, address)

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
