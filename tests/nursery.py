"""Processes to be killed, by the dozen: forked from one that has imported everything, so that each starts in no time.

A line on stdin is the command line of ``small_cells.py``, the next one says that it is time to kill; the answer is the
exit code. Only a parent that has not waited may kill: to anybody else the number may be another process by now.
"""

from __future__ import annotations

import os
import signal
import sys

import small_cells


def serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(small_cells.main(line.split()))
        sys.stdin.readline()
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
