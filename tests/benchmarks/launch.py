"""Runs a command and prints what it cost, as JSON: `python -IS launch.py LOG COMMAND...`.

A process of its own, because a child's peak memory counts from that of the process that started
it: this one is smaller than anything measured here. It imports nothing that it does not need.
"""

import json
import os
import sys
import time


def main() -> None:
    log, *command = sys.argv[1:]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    redirect = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=redirect)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    cost = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(cost))


if __name__ == "__main__":
    main()
