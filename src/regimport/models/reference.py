"""References: how users and registries name an image."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from regimport.errors import InvalidReference
from regimport.hosts import is_loopback_host
from regimport.models.digest import Digest
from regimport.models.lookalikes import check_is_reference, check_is_text
from regimport.models.on_disk import (
    ArchiveReference,
    LayoutReference,
    is_on_disk,
    parse_on_disk,
)
from regimport.models.tag import invalid_tag, is_tag
from regimport.redact import without_user
from regimport.values import dataclass

__all__ = [
    "AnyReference",
    "Reference",
    "flat_targets",
    "image_named",
    "is_loopback",
    "is_repository",
    "parse_end",
    "parse_repository",
    "registry_of",
    "target_of",
    "with_default_tag",
]

# The grammar of distribution/reference (reference.go, its opening comment).
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[a-fA-F0-9:]+\])"
_REGISTRY = re.compile(rf"{_HOST}(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_MAX_NAME = 255
_MAX_TEXT = 4096

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_ALIASES = frozenset({"index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in a registry: `registry/repository[:tag][@digest]`, in its full form."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read what users write, e.g. `hello-world`, or raise `InvalidReference`.

        Without a registry, `docker.io` is meant, and there `library/` if the repository has no
        namespace. A missing tag stays missing.
        """
        _check_characters(text)
        if _IDENTIFIER.fullmatch(text):
            raise _invalid(text, "it is an image ID, which does not name a repository")
        rest, at, digest_text = text.partition("@")
        digest = Digest(digest_text) if at else None
        name, tag = _split_tag(rest)
        registry, repository = _split_registry(name, text)
        if tag is not None:
            if name == "localhost":
                raise _invalid(text, "it is a host and a port without a repository")
            _check_tag(tag, text)
        _check_repository(repository, text)
        return cls(registry, repository, tag, digest)

    def __str__(self) -> str:
        """Return the full form, with the tag and the digest where there are any."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return f"{self.registry}/{self.repository}"

    def tagged(self, tag: str | None) -> Reference:
        """Return the same repository with another tag and no digest; it may be None.

        Raise `InvalidReference` for a tag that is not valid.
        """
        if tag is not None:
            _check_tag(tag)
        return replace(self, tag=tag, digest=None)

    def pinned(self, digest: Digest) -> Reference:
        """Return the same repository by digest alone."""
        return replace(self, tag=None, digest=digest)


AnyReference: TypeAlias = Reference | LayoutReference | ArchiveReference


def parse_end(text: str) -> AnyReference:
    """Read one end of a copy: a reference, `docker://REF`, or a layout or an archive on disk.

    Raise `InvalidReference`, also for a text that is an address or has another tool's transport.
    """
    check_is_text(text)
    if is_on_disk(text):
        return parse_on_disk(text)
    text = text.removeprefix("docker://")
    check_is_reference(text)
    return Reference.parse(text)


def parse_repository(text: str) -> AnyReference:
    """Read what `parse_end` reads, without a tag or digest, or raise `InvalidReference`."""
    place = parse_end(text)
    if place.tag is not None or place.digest is not None:
        raise InvalidReference(
            f"{text!r} names an image, but a repository is expected", hint=f"try {place.name}"
        )
    return place


def with_default_tag(reference: AnyReference) -> AnyReference:
    """Return the reference, with the tag `latest` if a registry's has neither tag nor digest."""
    if isinstance(reference, Reference) and reference.tag is None and reference.digest is None:
        return replace(reference, tag="latest")
    return reference


def target_of(text: str, source: AnyReference) -> AnyReference:
    """Read a target, filling in from `source` what it leaves out, or raise `InvalidReference`.

    A target that ends in `/` gets the source's repository appended; one without a tag gets the
    source's tag, even where it names the expected digest.
    """
    check_is_text(text)
    if text.endswith("/") and not is_on_disk(text):
        named = _image_of(source)
        if named is None:
            raise InvalidReference(
                f"the target {text!r} ends in '/', but the source is on disk, and has no "
                "repository name to append",
                hint="write the target's repository in full",
            )
        text += named.repository
    target = parse_end(text)
    if target.tag is None and source.tag is not None:
        image = image_named(source.tag) if isinstance(target, Reference) else None
        tag = source.tag if image is None else image.tag
        target = replace(target.tagged(tag), digest=target.digest)
    return target


def flat_targets(targets: Iterable[str | Sequence[str]]) -> Iterator[str]:
    """Yield the targets one by one, of which some may be lists of targets."""
    for target in targets:
        if isinstance(target, str):
            yield target
        elif hasattr(target, "__iter__"):
            yield from target
        else:
            check_is_text(target)


def _image_of(place: AnyReference) -> Reference | None:
    """Return the image in a registry that a place is called after, None if its name says none."""
    if isinstance(place, Reference):
        return place
    return image_named(place.tag or "")


def image_named(name: str) -> Reference | None:
    """Return the image that a full name in a layout or archive is: `app:1`, `r.example/a:1`.

    None for a tag alone, and for what is not valid.
    """
    if ":" not in name:
        return None
    try:
        return Reference.parse(name)
    except InvalidReference:
        return None


def registry_of(text: str) -> str:
    """Read a registry's name, `host[:port]`, as users write it, or raise `InvalidReference`."""
    bare = text.partition("://")[2] or text
    bare = bare.rstrip("/").removesuffix("/v1").removesuffix("/v2")
    named = "." in bare or ":" in bare or bare == "localhost"
    if not named or not _valid_registry(bare):
        raise InvalidReference(
            f"invalid registry {without_user(text)[:160]!r}",
            hint="write its full host name, and its port if it has one, as in a reference",
        )
    return _DOCKER_HUB if bare in _DOCKER_HUB_ALIASES else bare


def is_loopback(registry: str) -> bool:
    """Return whether `registry` (host or host:port) is on this machine."""
    host = registry.rpartition(":")[0] if re.search(r":[0-9]+$", registry) else registry
    return is_loopback_host(host.removeprefix("[").removesuffix("]").lower())


def _check_characters(text: str) -> None:
    if not text:
        raise InvalidReference("the reference is empty", hint="write registry/repository:tag")
    if len(text) > _MAX_TEXT or not text.isascii() or not text.isprintable() or " " in text:
        raise _invalid(text, "it contains characters that are not allowed in a reference")


def _split_tag(text: str) -> tuple[str, str | None]:
    name, colon, tag = text.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (text, None)


def _split_registry(name: str, text: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_registry = bool(slash) and (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )
    registry, repository = (first, rest) if is_registry else (_DOCKER_HUB, name)
    if is_registry and not _valid_registry(registry):
        raise _invalid(text, f"{without_user(registry)!r} is not a host name")
    if registry in _DOCKER_HUB_ALIASES:
        registry = _DOCKER_HUB
    if registry == _DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _valid_registry(registry: str) -> bool:
    if not _REGISTRY.fullmatch(registry):
        return False
    port = re.search(r":([0-9]+)$", registry)
    if port and not registry.endswith("]") and not 0 < int(port[1]) <= 65535:
        return False
    address = re.match(r"\[(.*)\]", registry)
    if address is None:
        return True
    try:
        ipaddress.IPv6Address(address[1])
    except ValueError:
        return False
    return True


def _check_repository(repository: str, text: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        reason = f"{repository!r} is not a repository name"
        if repository != repository.lower():
            reason += " (it must be lower case)"
        raise _invalid(text, reason)
    if len(repository) > _MAX_NAME:
        raise _invalid(text, f"the repository name is longer than {_MAX_NAME} characters")


def is_repository(text: str) -> bool:
    """Return whether a text is a valid repository name, at most 255 characters long."""
    return len(text) <= _MAX_NAME and _REPOSITORY.fullmatch(text) is not None


def _check_tag(tag: str, text: str | None = None) -> None:
    if not is_tag(tag):
        raise invalid_tag(tag, text)


def _invalid(text: str, reason: str) -> InvalidReference:
    return InvalidReference(
        f"invalid reference {without_user(text)[:160]!r}: {reason}",
        hint="write registry/repository:tag, registry/repository@digest, or oci:DIRECTORY",
    )
