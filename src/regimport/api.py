"""The public functions: they read what they are given, and make a run for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from regimport.credentials.keychain import check_one_registry
from regimport.engine.report import Report
from regimport.engine.resolve import resolve
from regimport.errors import InvalidOptions, Side
from regimport.events import Reporter, Silent
from regimport.models.credential import Credential
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.reference import (
    Reference,
    flat_targets,
    parse_end,
    target_of,
    with_default_tag,
)
from regimport.opening import running
from regimport.operations import as_heard, run_copy, run_inspection, run_verification
from regimport.options import CopyOptions
from regimport.run import selector

if TYPE_CHECKING:
    import httpx

    from regimport.engine.differences import Verification
    from regimport.engine.examine import Inspection

__all__ = ["copy", "digest", "inspect", "manifest", "verify"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()


def copy(
    source: str,
    *targets: str | Sequence[str],
    check: bool = True,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Copy an image from one registry to others, every platform of it, digests unchanged.

    `source` and `targets` are references as on the command line. Credentials that are not given
    are looked for in the environment and where Docker and podman keep them. `transport` carries
    all requests, if it is given, and is not closed. `targets` may also be lists. `stop`, if it is
    given, ends the copy with `Interrupted` within two seconds of being set, by any thread.

    Errors of the source are raised. So is the error of the only target, unless `check` is false;
    of several targets the others go on, and the report tells which failed. Raise
    `InvalidReference` and `InvalidOptions` before any request; `LimitExceeded` before
    anything is written; `NotFound`, `AccessDenied`, `Unreachable`, `RateLimited`,
    `InvalidManifest` and `ContentMismatch`; `TagExists` for a target; `DeadlineExceeded` at any
    time, if there is a deadline.

    No signal handler is installed. A `KeyboardInterrupt` in the calling thread ends the copy within
    two seconds, its uploads cancelled, and is raised on as it is.
    """
    origin = with_default_tag(parse_end(source))
    wanted = [target_of(target, origin) for target in flat_targets(targets)]
    if not wanted:
        raise InvalidOptions("a copy needs a target", hint="name one after the source")
    registries = [place.registry for place in wanted if isinstance(place, Reference)]
    check_one_registry(Side.TARGET, registries, target_credential, os.environ)
    with running(
        options,
        reporter,
        [origin, *wanted],
        source=source_credential,
        target=target_credential,
        transport=transport,
        stop=stop,
        writing=True,
    ) as run:
        report = run_copy(run, origin, wanted, as_heard(options, reporter))
    if check and len(wanted) == 1:
        report.raise_for_failure()
    return report


def verify(
    source: str,
    target: str,
    *,
    target_only: bool = False,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Verification:
    """Read an image back at both ends, hash all of it, and return what differs.

    The source says which image it is; `target_only` reads no more of it than that. The target's
    tag must point to that image. A part that is missing or different is not an error: the
    `differences` of the result name it. Raise what `copy` raises for its source, for both ends.
    `transport` and `stop` are those of `copy`.
    """
    from regimport.engine.differences import Verification  # noqa: PLC0415 - a copy needs none

    started = time.monotonic()
    origin = with_default_tag(parse_end(source))
    wanted = target_of(target, origin)
    with running(
        options,
        reporter,
        [origin, wanted],
        source=source_credential,
        target=target_credential,
        transport=transport,
        stop=stop,
    ) as run:
        root, found = run_verification(run, origin, wanted, target_only=target_only)
    return Verification(
        str(origin.pinned(root.digest)),
        str(wanted.pinned(root.digest)),
        root,
        tuple(found),
        time.monotonic() - started,
    )


def inspect(
    reference: str,
    *,
    referrers: bool = False,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Inspection:
    """Read an image's manifests, and return what it is made of and which limits it exceeds.

    With `referrers`, the result has what belongs to the image and to each of its manifests, too:
    what a copy with `referrers` brings along, within the same bounds. `options.referrers` is not
    read. Raise what `copy` raises for its source. `transport` and `stop` are those of `copy`.
    """
    place = with_default_tag(parse_end(reference))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        return run_inspection(run, place, options, referrers=referrers)


def manifest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Manifest:
    """Read one manifest or index, byte for byte; raise what `copy` raises for its source.

    `transport` and `stop` are those of `copy`.
    """
    place = with_default_tag(parse_end(reference))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        end = run.cached_source(place)
        wanted = selector(place)
        if not options.selection.whole:
            end, root = run.part(end, resolve(end, wanted, run.workers)[0])
            wanted = root.digest
        return run.workers.call(partial(end.get_manifest, wanted))


def digest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Digest:
    """Ask what a tag points to, with one HEAD; raise what `copy` raises for its source.

    `transport` and `stop` are those of `copy`.
    """
    place = with_default_tag(parse_end(reference))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        end = run.cached_source(place)
        _, root = run.part(end, resolve(end, selector(place), run.workers)[0])
    return root.digest
