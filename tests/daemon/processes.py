"""What is done to a process of a test from outside."""

import os
import signal
import time


def stand_still(process):
    """SIGSTOP, and until it has reached every thread: on a busy machine that takes a while."""
    process.send_signal(signal.SIGSTOP)
    folder, end = "/proc/%d/task" % process.pid, time.monotonic() + 30
    while time.monotonic() < end:
        states = []
        for thread in os.listdir(folder):
            with open(os.path.join(folder, thread, "stat"), encoding="utf-8") as file:
                states.append(file.read().rsplit(")", 1)[1].split()[0])
        if set(states) == {"T"}:
            return
        time.sleep(0.01)
    raise AssertionError("threads of %d go on: %s" % (process.pid, states))
