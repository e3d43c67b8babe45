"""No network: with ``--offline``, whatever leaves this machine is an error instead of a surprise."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from gifthorse.errors import InputError


def no_network() -> None:
    """From now on, this process refuses to connect to another machine, to send to one, and to ask for its address.

    Loopback addresses, ``localhost`` and sockets of the file system are let through.
    """
    _guard("connect", lambda address: address)
    _guard("connect_ex", lambda address: address)
    _guard("sendto", lambda *given: given[-1])
    ask = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        # no host is this one: it is how a server asks where to listen
        if host is not None:
            _refuse(host)
        return ask(host, *rest, **named)

    socket.getaddrinfo = getaddrinfo


def _guard(name: str, address_of: Any) -> None:
    """Let a method of sockets look at the address before it does anything."""
    method = getattr(socket.socket, name)

    def guarded(self: socket.socket, *given: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse(address_of(*given)[0])
        return method(self, *given)

    setattr(socket.socket, name, guarded)


def _refuse(host: Any) -> None:
    told = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    if not _local(told):
        raise InputError(f"--offline, and something asked for {told}", "leave --offline out, or use local files")


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")
