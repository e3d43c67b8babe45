"""Who works on what: locks that free themselves when their process dies, however it dies.

A lock is ``flock`` on a file of its own. The kernel drops it with the last descriptor of a process, so there is no
lease to expire and no clock to trust. The file is removed by its holder; whoever opened it meanwhile notices that it
holds a lock on a name that is gone, and asks again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def _same_file(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (mine.st_ino, mine.st_dev) == (there.st_ino, there.st_dev)


def _acquire(path: Path, create: bool) -> int | None:
    flags = os.O_RDWR | (os.O_CREAT if create else 0)
    while True:
        handle = os.open(path, flags, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return None
            raise
        if _same_file(handle, path):
            return handle
        os.close(handle)


@contextlib.contextmanager
def hold(path: Path, *, create: bool = True) -> Iterator[bool]:
    """Holds the lock named by ``path`` for the block, and yields whether it was free.

    Args:
        path: a file of this lock alone, in a folder that exists; it is removed when the block ends.
        create: make the file where it is missing; otherwise a missing file raises FileNotFoundError.
    """
    handle = _acquire(path, create)
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        # A forked child may still have the descriptor, and the lock with it: the name must go, not only the lock.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)
