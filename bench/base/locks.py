"""Locks of files that the system takes away from a process that ends, however it ends.

Where a file system has no such locks, filelock falls back to a marker file, or the lock is refused in one line.
"""

from __future__ import annotations

import errno
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.errors import UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


def lock_of(path: Path) -> BaseFileLock:
    """A lock that any thread of this process may let go; nobody holds it yet."""
    from filelock import FileLock

    return FileLock(path, thread_local=False)


def acquire(lock: BaseFileLock, timeout_s: float = 0.0) -> bool:
    """Hold a lock, waiting for at most so long; False where somebody else holds it. Raises UserError, OSError."""
    from filelock import Timeout

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it fell back to a marker
            lock.acquire(timeout=timeout_s)
    except Timeout:
        return False
    except (NotImplementedError, OSError) as error:  # the first is what older filelocks raise for ENOSYS
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        folder = Path(lock.lock_file).parent
        raise UserError(f"{folder}: the file system has no locks ({error}); choose a folder on another one") from None
    return True
