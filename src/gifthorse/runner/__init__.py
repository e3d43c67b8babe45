"""Engines that map a function over cells: in this process, or in several of this machine."""

from gifthorse.runner.base import Done, Failed, Runner, say
from gifthorse.runner.in_process import InProcess
from gifthorse.runner.local_processes import LocalProcesses

__all__ = ["Done", "Failed", "InProcess", "LocalProcesses", "Runner", "local", "say"]


def local(workers: int) -> Runner:
    """The engine for a number of workers on this machine: one works in this process."""
    return InProcess() if workers == 1 else LocalProcesses(workers)
