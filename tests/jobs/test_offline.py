"""No network, in the tests and under ``--offline`` (P48, P60)."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from children import ENVIRONMENT

from gifthorse.errors import InputError

# Addresses that documentation may use and nobody has.
AWAY = [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "gifthorse.example")]
WAYS: dict[str, Callable[[socket.socket, str], object]] = {
    "connect": lambda made, host: made.connect((host, 80)),
    "connect_ex": lambda made, host: made.connect_ex((host, 80)),
    "sendto": lambda made, host: made.sendto(b"x", (host, 80)),
    "sendto with flags": lambda made, host: made.sendto(b"x", 0, (host, 80)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("family", "host"), AWAY)
def test_what_leaves_the_machine_is_refused(family: socket.AddressFamily, host: str, way: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as made, pytest.raises(InputError, match=host):
        WAYS[way](made, host)


@pytest.mark.parametrize("host", ["gifthorse.example", b"gifthorse.example", "192.0.2.1"])
def test_nobody_is_asked_where_a_host_is(host: str | bytes) -> None:
    with pytest.raises(InputError, match=r"--offline, and something asked for"):
        socket.getaddrinfo(host, 80)


def test_this_machine_is_let_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert socket.getaddrinfo("localhost", port)
        assert socket.getaddrinfo(None, port)
        for host in ("127.0.0.1", "localhost"):
            with socket.create_connection((host, port)):
                server.accept()[0].close()
        with socket.socket() as made:
            assert made.connect_ex(("127.0.0.1", port)) == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            assert made.sendto(b"x", ("127.0.0.1", port)) == 1
    one, other = socket.socketpair()
    one.close()
    other.close()


@pytest.mark.parametrize("env", [None, ENVIRONMENT], ids=["inherited", "of the durability tests"])
def test_children_have_no_network_either(env: dict[str, str] | None) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert "--offline, and something asked for 192.0.2.1" in done.stderr
