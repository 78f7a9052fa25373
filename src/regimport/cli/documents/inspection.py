"""The document that `inspect` prints."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document
from regimport.engine.examine import Inspection, Node
from regimport.engine.referrer_tree import ReferrerNode, ReferrerTree
from regimport.models.descriptor import Descriptor
from regimport.models.image_config import ImageConfig

__all__ = ["InspectionDocument"]


class BlobDocument(Document):
    """A config or a layer."""

    media_type: str
    digest: str
    size: int = Field(description="Bytes.")

    @classmethod
    def of(cls, blob: Descriptor) -> BlobDocument:
        """Return the document of a descriptor."""
        return cls(media_type=blob.media_type, digest=blob.digest, size=blob.size)


class StepDocument(Document):
    """A step in which an image was built."""

    created: str | None
    created_by: str
    comment: str
    empty_layer: bool = Field(description="Whether the step made no layer.")


class ImageDocument(Document):
    """What an image's configuration says of it."""

    author: str | None
    user: str | None
    working_directory: str | None
    stop_signal: str | None
    entrypoint: list[str]
    command: list[str]
    environment: list[str] = Field(description="NAME=VALUE.")
    exposed_ports: list[str]
    volumes: list[str]
    labels: dict[str, str]
    history: list[StepDocument] = Field(description="The oldest step first.")

    @classmethod
    def of(cls, image: ImageConfig) -> ImageDocument:
        """Return the document of a configuration."""
        steps = [
            StepDocument(
                created=time_text(step.created),
                created_by=step.created_by,
                comment=step.comment,
                empty_layer=step.empty_layer,
            )
            for step in image.history
        ]
        return cls(
            author=image.author,
            user=image.user,
            working_directory=image.working_directory,
            stop_signal=image.stop_signal,
            entrypoint=list(image.entrypoint),
            command=list(image.command),
            environment=list(image.environment),
            exposed_ports=list(image.exposed_ports),
            volumes=list(image.volumes),
            labels=dict(image.labels),
            history=steps,
        )


def time_text(time: datetime | None) -> str | None:
    """Return a time as RFC 3339 writes it, in UTC."""
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


class NodeDocument(Document):
    """A manifest or an index of the tree, with what is under it."""

    media_type: str
    artifact_type: str | None
    digest: str
    size: int = Field(description="Bytes of the manifest itself.")
    platform: str | None
    created: str | None = Field(
        description="When the image was created: RFC 3339, UTC; null if that is unknown."
    )
    image: ImageDocument | None = Field(
        description="What the configuration says; null if it is no image's, or could not be read."
    )
    annotations: dict[str, str] = Field(description="The annotations in its parent's descriptor.")
    shown_above: bool = Field(
        description="Whether the manifest was there before: what is under it is not repeated."
    )
    config: BlobDocument | None
    layers: list[BlobDocument]
    manifests: list[NodeDocument]

    @classmethod
    def of(cls, node: Node) -> NodeDocument:
        """Return the document of a node and all under it."""
        found, config = node.descriptor, None if node.shown_above else node.config
        return cls(
            media_type=found.media_type,
            artifact_type=node.artifact_type,
            digest=found.digest,
            size=found.size,
            platform=None if found.platform is None else str(found.platform),
            created=time_text(node.created),
            image=None if node.image is None else ImageDocument.of(node.image),
            annotations=dict(found.annotations),
            shown_above=node.shown_above,
            config=None if config is None else BlobDocument.of(config),
            layers=[BlobDocument.of(layer) for layer in node.layers],
            manifests=[cls.of(child) for child in node.children],
        )


class ReferrerNodeDocument(Document):
    """A manifest that belongs to its subject, with what belongs to it in turn."""

    subject: str = Field(description="The digest of the manifest that it belongs to.")
    digest: str
    media_type: str
    artifact_type: str | None = Field(description="What it is; null if it does not say.")
    size: int = Field(description="Bytes of the manifest and of all under it.")
    tag: str | None = Field(
        description="The digest tag that points to it; null if it names its subject itself."
    )
    shown_above: bool = Field(
        description="Whether it was there before: what belongs to it is not repeated."
    )
    referrers: list[ReferrerNodeDocument]

    @classmethod
    def of(cls, node: ReferrerNode) -> ReferrerNodeDocument:
        """Return the document of a referrer and all that belongs to it."""
        return cls(
            subject=node.subject,
            digest=node.descriptor.digest,
            media_type=node.descriptor.media_type,
            artifact_type=node.artifact_type or None,
            size=node.size,
            tag=node.tag,
            shown_above=node.shown_above,
            referrers=[cls.of(child) for child in node.referrers],
        )


class ReferrerTreeDocument(Document):
    """What belongs to an image and to its manifests."""

    complete: bool = Field(description="Whether the source told all that it has.")
    found: list[ReferrerNodeDocument]

    @classmethod
    def of(cls, tree: ReferrerTree) -> ReferrerTreeDocument:
        """Return the document of a tree."""
        return cls(
            complete=tree.complete,
            found=[ReferrerNodeDocument.of(node) for node in tree.found],
        )


class InspectionDocument(Document):
    """The contents of an image."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    reference: str = Field(description="The image by digest.")
    manifests: int = Field(description="Manifests and indexes, each counted once, as by a copy.")
    blobs: int = Field(description="Configs and layers, each counted once.")
    total_bytes: int = Field(
        description="Bytes in total; shared content is counted each time it is referenced."
    )
    unique_bytes: int = Field(description="Bytes in total; shared content is counted once.")
    violations: list[str] = Field(description="The limits that it exceeds.")
    root: NodeDocument
    referrers: ReferrerTreeDocument | None = Field(
        description="What belongs to it, which no count includes; null without --referrers."
    )

    @classmethod
    def of(cls, inspection: Inspection) -> InspectionDocument:
        """Return the document of an inspection."""
        tree = inspection.referrers
        return cls(
            schema_version=SCHEMA_VERSION,
            reference=inspection.reference,
            manifests=inspection.manifests,
            blobs=inspection.blobs,
            total_bytes=inspection.total_bytes,
            unique_bytes=inspection.unique_bytes,
            violations=list(inspection.violations),
            root=NodeDocument.of(inspection.root),
            referrers=None if tree is None else ReferrerTreeDocument.of(tree),
        )
