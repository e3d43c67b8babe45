"""What every test gets: no network, in its children neither, and few threads."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gifthorse.jobs.offline import no_network

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so; children would take over that they ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Children look here for their sitecustomize; those that children.py starts have it from sys.path (see pyproject.toml).
GUARD = str(Path(__file__).with_name("offline"))
os.environ["PYTHONPATH"] = os.pathsep.join([GUARD, *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(autouse=True)
def offline() -> Iterator[None]:
    """Whatever leaves this machine is an error in every test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, getattr(socket.socket, name))
        patch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
        no_network()
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a whole tiny run, made once; whoever changes it works on a copy."""
    import torch
    from fixtures_carried import carry_out
    from fixtures_tiny import tiny_request

    root: Path = tmp_path_factory.mktemp("run") / "tiny"
    threads = torch.get_num_threads()
    carry_out(root, tiny_request())
    torch.set_num_threads(threads)
    return root
