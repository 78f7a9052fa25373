"""Comparing two images, or the tags of two repositories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

from regimport.engine.examine import Inspection, Node
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.image_config import ImageConfig
from regimport.values import dataclass

__all__ = ["DIFFERENT", "Change", "Comparison", "compare_images", "compare_tags"]

# The exit code that says that something differs; none of the errors has it.
DIFFERENT = 10


@dataclass(frozen=True, slots=True)
class Change:
    """Something in which two images or repositories differ: None where one of them lacks it.

    `platform` is that of the manifest in which it is, empty for the image as a whole and for tags.
    """

    platform: str
    subject: str
    first: str | None
    second: str | None

    def __str__(self) -> str:
        """Return one line."""
        subject = f"{self.platform}: {self.subject}" if self.platform else self.subject
        if self.first is None:
            return f"{subject}: only in the second: {self.second}"
        if self.second is None:
            return f"{subject}: only in the first: {self.first}"
        return f"{subject}: {self.first} -> {self.second}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two images by digest, or two repositories, and all in which they differ."""

    first: str
    second: str
    changes: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.changes

    @property
    def exit_code(self) -> int:
        """The exit code of a comparison: 0 if nothing differs, 10 if anything does."""
        return DIFFERENT if self.changes else 0


def compare_images(first: Inspection, second: Inspection) -> Comparison:
    """Return what differs: platforms, manifests, layers, values of the configuration, sizes."""
    return Comparison(first.reference, second.reference, tuple(_images(first, second)))


def compare_tags(
    first: str, second: str, tags: Mapping[str, Digest], others: Mapping[str, Digest]
) -> Comparison:
    """Return which tags only one of two repositories has, or with another digest."""
    olds = {f"tag {tag}": digest for tag, digest in tags.items()}
    news = {f"tag {tag}": digest for tag, digest in others.items()}
    return Comparison(first, second, tuple(_values("", olds, news)))


def _images(first: Inspection, second: Inspection) -> Iterator[Change]:
    old, new = first.root, second.root
    if old.descriptor.digest == new.descriptor.digest:
        return
    yield from _values("", _root(first), _root(second))
    olds, news = _manifests(old), _manifests(new)
    for name in dict.fromkeys((*olds, *news)):
        one, other = olds.get(name), news.get(name)
        if one is None or other is None:
            yield Change(name, "manifest", _digest(one), _digest(other))
        elif one.descriptor.digest != other.descriptor.digest:
            yield from _values(name, _facts(one), _facts(other))
            yield from _layers(name, one, other)


def _root(image: Inspection) -> Mapping[str, str]:
    found = image.root.descriptor
    return {
        "digest": found.digest,
        "media type": found.media_type,
        "size in bytes": str(image.unique_bytes),
    }


def _digest(node: Node | None) -> str | None:
    return None if node is None else node.descriptor.digest


def _manifests(root: Node) -> Mapping[str, Node]:
    """Return the manifests without children by title; further ones of the same are numbered."""
    found: dict[str, Node] = {}
    for leaf in _leaves(root):
        number, name = 1, leaf.title
        while name in found:
            number += 1
            name = f"{leaf.title} ({number})"
        found[name] = leaf
    return found


def _leaves(root: Node) -> Iterator[Node]:
    """Yield each manifest without children once."""
    seen: set[Digest] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.descriptor.digest in seen:
            continue
        seen.add(node.descriptor.digest)
        if not node.children:
            yield node
        waiting += reversed(node.children)


def _facts(node: Node) -> Mapping[str, str]:
    facts = {
        "digest": str(node.descriptor.digest),
        "media type": node.descriptor.media_type,
        "size in bytes": str(node.size),
    }
    if node.config is not None:
        facts["config"] = node.config.digest
    return facts if node.image is None else facts | dict(_settings(node.image))


def _settings(image: ImageConfig) -> Iterator[tuple[str, str]]:
    if image.created is not None:
        yield "created", f"{image.created:%Y-%m-%dT%H:%M:%SZ}"
    for name in ("author", "user", "working_directory", "stop_signal"):
        text: str | None = getattr(image, name)
        if text is not None:
            yield name.replace("_", " "), text
    for name, words in (("entry point", image.entrypoint), ("command", image.command)):
        if words:
            yield name, " ".join(words)
    for variable in image.environment:
        name, _, text = variable.partition("=")
        yield f"environment {name}", text
    yield from ((f"port {port}", "exposed") for port in image.exposed_ports)
    yield from ((f"volume {volume}", "declared") for volume in image.volumes)
    yield from ((f"label {name}", text) for name, text in image.labels.items())


def _layers(platform: str, one: Node, other: Node) -> Iterator[Change]:
    """Yield the layers that differ; those that both begin with are the same."""
    pairs = enumerate(zip_longest(one.layers, other.layers), start=1)
    for number, (old, new) in pairs:
        if old is None or new is None or old.digest != new.digest:
            yield Change(platform, f"layer {number}", _described(old), _described(new))


def _described(layer: Descriptor | None) -> str | None:
    return None if layer is None else f"{layer.digest} ({layer.size} bytes)"


def _values(platform: str, olds: Mapping[str, str], news: Mapping[str, str]) -> Iterator[Change]:
    names: Iterable[str] = dict.fromkeys((*olds, *news))
    for name in names:
        if olds.get(name) != news.get(name):
            yield Change(platform, name, olds.get(name), news.get(name))
