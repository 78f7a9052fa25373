"""Events as a copy reports them."""

from __future__ import annotations

from regimport.cli.progress.totals import Totals
from regimport.events import BlobFinished, BlobStarted, BytesMoved, Planned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.platform import Platform

MIB = 1024 * 1024


def blob(number: int, size: int = 40 * MIB, platform: str | None = None) -> Descriptor:
    return Descriptor(
        "application/octet-stream",
        Digest.of(str(number).encode()),
        size,
        None if platform is None else Platform.parse(platform),
    )


def under_way(moving: int, planned: int, *, finished: int = 0, manifests: int = 3) -> Totals:
    """A copy after ten seconds, in which each moving blob has moved 1 MiB a second."""
    totals = Totals(0.0)
    blobs = [blob(number, platform="linux/arm64/v8") for number in range(planned)]
    totals.take(Planned(planned, sum(found.size for found in blobs), manifests), 0.0)
    for found in blobs[:finished]:
        totals.take(BlobStarted(found), 0.0)
        totals.take(BlobFinished(found, "copied", "r.example/a"), 0.0)
    started = blobs[finished : finished + moving]
    for found in started:
        totals.take(BlobStarted(found), 0.0)
    for second in range(1, 11):
        for found in started:
            totals.take(BytesMoved(found, MIB), float(second))
    return totals
