"""How many things to do at once, chosen from what the run has measured."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

from regimport.models.descriptor import Descriptor
from regimport.network import Network, host_name

__all__ = [
    "MAX_JOBS",
    "MIN_JOBS",
    "choose_jobs",
    "connections_ahead",
    "jobs_for_files",
    "limit_jobs",
]

# On a short line more than this is no faster; on a long one more than that is not polite.
MIN_JOBS = 8
MAX_JOBS = 32
# What a small request costs both ends in work, in seconds; the rest of its time is the line's.
_WORK = 0.001
# A line on which a new connection is worth having before it is needed, in seconds.
_LONG_LINE = 0.01
# Bytes of a manifest for every connection: what names a blob has some 200, what names a platform
# some 300, and stands for three blobs; but a TLS connection is not cheap enough for each of them.
_BYTES_A_CONNECTION = 200
# Files for everything but the jobs: streams, modules, name servers, helpers, files of a layout.
_OTHER_FILES = 24
# A configuration and a layer.
_LEAST_BLOBS = 2


def choose_jobs(round_trip: float | None) -> int:
    """Return how many requests keep a line busy whose answers take `round_trip` seconds.

    One for every millisecond of waiting, within bounds; None means that it is not known yet.
    """
    if round_trip is None:
        return MIN_JOBS
    return max(MIN_JOBS, min(MAX_JOBS, round(round_trip / _WORK)))


def limit_jobs(registries: Iterable[str], network: Network) -> int:
    """Return how many jobs the settings of the registries, and the open files, allow at once.

    `registries` has one entry for each end of the copy: a job may be at all of them together, so
    a registry with two ends is allowed half as many.
    """
    hosts = Counter(map(host_name, registries))
    most = jobs_for_files(open_files(), hosts.total())
    for registry, ends in hosts.items():
        allowed = network.of(registry).concurrency
        if allowed is not None:
            most = min(most, max(1, allowed // ends))
    return most


def jobs_for_files(files: int | None, ends: int) -> int:
    """Return how many jobs at so many ends `files` open files allow; None means any number.

    A job has a connection at each end, and while it connects to one with several addresses, two.
    """
    if files is None:
        return sys.maxsize
    return max(1, (files - _OTHER_FILES) // (2 * max(1, ends)))


def open_files() -> int | None:
    """Return how many files the process may open (`ulimit -n`); None if there is no limit."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


def connections_ahead(root: Descriptor, jobs: int, round_trip: float | None) -> int:
    """Return how many connections a side will want for the image under `root`, on a long line.

    A manifest says by its size about how much it names. On a short line a connection is soon
    enough when it is needed.
    """
    if round_trip is None or round_trip < _LONG_LINE:
        return 0
    return min(jobs, max(_LEAST_BLOBS, root.size // _BYTES_A_CONNECTION))
