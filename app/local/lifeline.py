"""Children that do not outlive this process, however it ends."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def require_main_thread() -> None:
    """The kernel sends a parent-death signal when the *thread* that forked ends, not the process."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Children must be started from the main thread")


def bound(last: signal.Signals) -> Callable[[], None] | None:
    """To be called in a child between fork and exec: it gets the signal `last` when this process dies (on Linux)."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl  # resolved before the fork: after it, only this call remains

    def bind() -> None:
        prctl(ctypes.c_int(PR_SET_PDEATHSIG), ctypes.c_ulong(last))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind
