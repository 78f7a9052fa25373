"""`regimport inspect`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions, RegistryMirror
from regimport.cli.credentials import CredentialOptions
from regimport.cli.limits import LimitOptions
from regimport.cli.printer import Printer, counted, human_size
from regimport.cli.timeouts import DeadlineOptions
from regimport.cli.wording import with_options
from regimport.errors import NotFound
from regimport.models.mediatype import INDEX_TYPES
from regimport.redact import safe_text

if TYPE_CHECKING:
    from regimport.engine.examine import Inspection, Node
    from regimport.engine.referrer_tree import ReferrerNode, ReferrerTree
    from regimport.models.descriptor import Descriptor
    from regimport.models.image_config import ImageConfig

__all__ = ["inspect"]

Raw: TypeAlias = Annotated[
    bool, typer.Option("--raw", help="Print the bytes of the manifest, unchanged.")
]
Layers: TypeAlias = Annotated[
    bool, typer.Option("--layers", help="Show the config and the layers of each manifest, too.")
]
Config: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--config",
        help="Show what each image's configuration says, too: labels, environment, history, …",
    ),
]
Referrers: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--referrers",
        help="Show what belongs to the image, too: signatures, SBOMs, attestations.",
    ),
]


def inspect(
    reference: params.ReferenceArgument,
    *,
    raw: Raw = False,
    layers: Layers = False,
    config: Config = False,
    referrers: Referrers = False,
    platform: params.Platforms = None,
    limits: LimitOptions,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    time: DeadlineOptions,
    registry_mirror: RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """Show the platforms of an image, with digest, size and date, and whether it keeps the limits.

    Example: regimport inspect docker.io/library/hello-world:latest
    """
    from dataclasses import replace

    from regimport import api
    from regimport.cli.progress import reporter_for

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = replace(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.tls,
            registry_mirror=registry_mirror,
        ),
        limits=limits.parse(),
        platforms=settings.parse_platforms(platform),
    )
    options = time.apply(options)
    credential = credentials.read(reference)
    with reporter_for(printer) as reporter:
        if raw:
            found = api.manifest(
                reference, options=options, credential=credential, reporter=reporter
            )
            printer.raw(found.raw)
            return
        try:
            inspection = api.inspect(
                reference,
                referrers=referrers,
                options=options,
                credential=credential,
                reporter=reporter,
            )
        except NotFound as error:
            _show_images(printer, reference, error, output)
            return
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.inspection import InspectionDocument

        printer.document(InspectionDocument.of(inspection).model_dump_json(indent=2))
        return
    for line in _lines(inspection, layers=layers, config=config):
        printer.result(line)


def _show_images(
    printer: Printer, reference: str, error: NotFound, output: params.OutputKind
) -> None:
    """List the images of a layout or archive of which none was chosen; raise any other error."""
    if not error.images:
        raise error
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.images import ImagesDocument

        document = ImagesDocument.of(reference, error.images)
        printer.document(document.model_dump_json(indent=2))
        return
    width = max(len(name or "") for name, _ in error.images)
    for name, digest in error.images:
        printer.result(f"{name or '':{width}}  {digest}")
    printer.note("choose one by its name or digest to see what is in it")


def _lines(inspection: Inspection, *, layers: bool, config: bool) -> Iterator[str]:
    yield inspection.reference
    width = max(len(_name(leaf)) for leaf in _leaves(inspection.root))
    yield from _tree(inspection.root, width, layers=layers, config=config)
    total = f"{counted(inspection.manifests, 'manifest')} and {counted(inspection.blobs, 'blob')}, "
    total += human_size(inspection.unique_bytes)
    if inspection.total_bytes != inspection.unique_bytes:
        total += f" ({human_size(inspection.total_bytes)} if shared content counts each time)"
    yield total
    if inspection.referrers is not None:
        yield from _referrers(inspection.referrers)
    yield f"limits: {'exceeded' if inspection.violations else 'not exceeded'}"
    yield from (f"  {with_options(violation)}" for violation in inspection.violations)


def _leaves(node: Node) -> Iterator[Node]:
    if node.children:
        for child in node.children:
            yield from _leaves(child)
    else:
        yield node


def _tree(node: Node, width: int, *, layers: bool, config: bool) -> Iterator[str]:
    """Yield a line for each platform; with `layers` for all that is under the root."""
    if node.shown_above and node.descriptor.media_type in INDEX_TYPES:
        size = human_size(node.size)
        yield f"  {'index':{width}}  {node.descriptor.digest}  {size:>10}  shown above"
        return
    if not node.children:
        created = "" if node.created is None else f"{node.created:%Y-%m-%d %H:%M}"
        size = human_size(node.size)
        digest = node.descriptor.digest
        yield f"  {_name(node):{width}}  {digest}  {size:>10}  {created}".rstrip()
    elif layers:
        yield f"  {'index':{width}}  {_described(node.descriptor)}"
    if layers:
        yield from _blobs(node, width)
    if config and node.image is not None:
        yield from (f"    {name:11}  {text}" for name, text in _settings(node.image))
    for child in node.children:
        yield from _tree(child, width, layers=layers, config=config)


def _blobs(node: Node, width: int) -> Iterator[str]:
    if node.shown_above:
        yield f"  {'':{width}}  its layers are shown above"
        return
    for kind, blobs in (("config", [node.config]), ("layer", node.layers)):
        for blob in blobs:
            if blob is not None:
                yield f"  {f'  {kind}':{width}}  {_described(blob)}"


def _referrers(tree: ReferrerTree) -> Iterator[str]:
    """Yield what belongs to each manifest of an image, under the manifest's digest."""
    unknown = "" if tree.complete else ", digest tags not known"
    yield f"referrers: {'' if tree.found else 'none'}{unknown.removeprefix(', ')}".rstrip()
    subject = None
    for node in tree.found:
        if node.subject != subject:
            subject = node.subject
            yield f"  of {subject}"
        yield from _referrer(node, "    ")


def _referrer(node: ReferrerNode, indent: str) -> Iterator[str]:
    kind = safe_text(node.artifact_type, 80) or "no type"
    line = f"{indent}{node.descriptor.digest}  {human_size(node.size):>10}  {kind}"
    if node.tag is not None:
        line += f"  tag {node.tag}"
    yield line + ("  shown above" if node.shown_above else "")
    for child in node.referrers:
        yield from _referrer(child, indent + "  ")


def _name(leaf: Node) -> str:
    return safe_text(leaf.title, 60)


def _settings(image: ImageConfig) -> Iterator[tuple[str, str]]:
    """Yield what a configuration says, by name."""
    for name, text in (
        ("author", image.author),
        ("user", image.user),
        ("directory", image.working_directory),
        ("stop signal", image.stop_signal),
    ):
        if text:
            yield name, text
    for name, words in (("entry point", image.entrypoint), ("command", image.command)):
        if words:
            yield name, shlex.join(words)
    yield from (("environment", variable) for variable in image.environment)
    yield from (("port", port) for port in image.exposed_ports)
    yield from (("volume", volume) for volume in image.volumes)
    yield from (("label", f"{name}={text}") for name, text in image.labels.items())
    for step in image.history:
        when = f"{step.created:%Y-%m-%d %H:%M}" if step.created else "unknown"
        yield "history", f"{when}  {step.created_by or step.comment}"


def _described(descriptor: Descriptor) -> str:
    return f"{descriptor.digest}  {human_size(descriptor.size):>10}  {descriptor.media_type}"
