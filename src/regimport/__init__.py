"""Copy container images from registry to registry: no daemon, no disk, digests unchanged.

    from regimport import copy

    report = copy("docker.io/library/hello-world:latest", "myregistry.example/hello-world")
    print(report.targets[0].pinned)

A `Reporter` is told the events of a copy, from `Resolved` to `ManifestPut`. Options, credentials,
reports, events and errors are values: they can be pickled, and compare equal by content.

The library is what `__all__` lists; everything else may move. Names are loaded when they are
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import sys

from regimport._version import __version__, unsupported_system

# Where click is installed, `import httpx` loads its own command line with rich, which takes 80 ms.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from regimport.api import copy, digest, inspect, manifest, verify
    from regimport.comparison import diff, diff_tags
    from regimport.deletion import delete, find_use
    from regimport.engine.compare import Change, Comparison
    from regimport.engine.deletion import Deletion, ManifestUse
    from regimport.engine.differences import Difference, Flaw, Part, ReadBack, Verification
    from regimport.engine.examine import Inspection, Node
    from regimport.engine.many import ImageReport, ManyReport
    from regimport.engine.referrer_tree import ReferrerNode, ReferrerTree
    from regimport.engine.report import Report, TargetReport
    from regimport.engine.steps import Action, Plan, Step
    from regimport.engine.subset import Subset
    from regimport.engine.tally import Tally
    from regimport.engine.target import Status
    from regimport.errors import (
        AccessDenied,
        BrokenTransfer,
        ContentMismatch,
        DeadlineExceeded,
        Interrupted,
        InvalidConfig,
        InvalidManifest,
        InvalidOptions,
        InvalidReference,
        LimitExceeded,
        NotFound,
        RateLimited,
        RegimportError,
        RegistryError,
        Side,
        TagExists,
        Unreachable,
        UsageError,
    )
    from regimport.events import (
        BlobFinished,
        BlobStarted,
        BytesMoved,
        Checking,
        Event,
        ImageFinished,
        ManifestPut,
        OfImage,
        Planned,
        ReadingManifests,
        ReferrersFound,
        Reporter,
        Resolved,
        Retrying,
        Warned,
    )
    from regimport.listings import repositories, tags
    from regimport.many import copy_many, copy_tags
    from regimport.models.credential import Credential
    from regimport.models.descriptor import Descriptor
    from regimport.models.digest import Digest
    from regimport.models.image_config import HistoryEntry, ImageConfig
    from regimport.models.manifest import Manifest
    from regimport.models.on_disk import ArchiveReference, LayoutReference
    from regimport.models.platform import Platform
    from regimport.models.ratelimit import RateLimit
    from regimport.models.reference import Reference
    from regimport.models.referrers import Referrer, Referrers
    from regimport.network import Network, Pin, RegistrySettings, Tls
    from regimport.options import CopyOptions, Limits, RetryPolicy, Timeouts

_HOMES = {
    "api": ("copy", "digest", "inspect", "manifest", "verify"),
    "comparison": ("diff", "diff_tags"),
    "deletion": ("delete", "find_use"),
    "engine.compare": ("Change", "Comparison"),
    "engine.deletion": ("Deletion", "ManifestUse"),
    "engine.differences": ("Difference", "Flaw", "Part", "ReadBack", "Verification"),
    "engine.examine": ("Inspection", "Node"),
    "engine.referrer_tree": ("ReferrerNode", "ReferrerTree"),
    "engine.many": ("ImageReport", "ManyReport"),
    "engine.report": ("Report", "TargetReport"),
    "engine.steps": ("Action", "Plan", "Step"),
    "engine.subset": ("Subset",),
    "engine.tally": ("Tally",),
    "engine.target": ("Status",),
    "errors": (
        "AccessDenied",
        "BrokenTransfer",
        "ContentMismatch",
        "DeadlineExceeded",
        "Interrupted",
        "InvalidConfig",
        "InvalidManifest",
        "InvalidOptions",
        "InvalidReference",
        "LimitExceeded",
        "NotFound",
        "RateLimited",
        "RegimportError",
        "RegistryError",
        "Side",
        "TagExists",
        "Unreachable",
        "UsageError",
    ),
    "events": (
        "BlobFinished",
        "BlobStarted",
        "BytesMoved",
        "Checking",
        "Event",
        "ImageFinished",
        "ManifestPut",
        "OfImage",
        "Planned",
        "ReadingManifests",
        "ReferrersFound",
        "ReferrersFound",
        "Reporter",
        "Resolved",
        "Retrying",
        "Warned",
    ),
    "listings": ("repositories", "tags"),
    "many": ("copy_many", "copy_tags"),
    "models.credential": ("Credential",),
    "models.descriptor": ("Descriptor",),
    "models.digest": ("Digest",),
    "models.image_config": ("HistoryEntry", "ImageConfig"),
    "models.manifest": ("Manifest",),
    "models.platform": ("Platform",),
    "models.on_disk": ("ArchiveReference", "LayoutReference"),
    "models.reference": ("Reference",),
    "models.referrers": ("Referrer", "Referrers"),
    "models.ratelimit": ("RateLimit",),
    "network": ("Network", "Pin", "RegistrySettings", "Tls"),
    "options": ("CopyOptions", "Limits", "RetryPolicy", "Timeouts"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AccessDenied",
    "Action",
    "ArchiveReference",
    "BlobFinished",
    "BlobStarted",
    "BrokenTransfer",
    "BytesMoved",
    "Change",
    "Checking",
    "Comparison",
    "ContentMismatch",
    "CopyOptions",
    "Credential",
    "DeadlineExceeded",
    "Deletion",
    "Descriptor",
    "Difference",
    "Digest",
    "Event",
    "Flaw",
    "HistoryEntry",
    "ImageConfig",
    "ImageFinished",
    "ImageReport",
    "Inspection",
    "Interrupted",
    "InvalidConfig",
    "InvalidManifest",
    "InvalidOptions",
    "InvalidReference",
    "LayoutReference",
    "LimitExceeded",
    "Limits",
    "Manifest",
    "ManifestPut",
    "ManifestUse",
    "ManyReport",
    "Network",
    "Node",
    "NotFound",
    "OfImage",
    "Part",
    "Pin",
    "Plan",
    "Planned",
    "Platform",
    "RateLimit",
    "RateLimited",
    "ReadBack",
    "ReadingManifests",
    "Reference",
    "Referrer",
    "ReferrerNode",
    "ReferrerTree",
    "Referrers",
    "ReferrersFound",
    "RegimportError",
    "RegistryError",
    "RegistrySettings",
    "Report",
    "Reporter",
    "Resolved",
    "RetryPolicy",
    "Retrying",
    "Side",
    "Status",
    "Step",
    "Subset",
    "TagExists",
    "Tally",
    "TargetReport",
    "Timeouts",
    "Tls",
    "Unreachable",
    "UsageError",
    "Verification",
    "Warned",
    "__version__",
    "copy",
    "copy_many",
    "copy_tags",
    "delete",
    "diff",
    "diff_tags",
    "digest",
    "find_use",
    "inspect",
    "manifest",
    "repositories",
    "tags",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - the command line starts without it

    if (message := unsupported_system()) is not None:
        raise ImportError(message)
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
