"""References: how users and registries name an image."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

from regimport.errors import InvalidReference
from regimport.hosts import is_loopback_host
from regimport.models.digest import Digest
from regimport.models.lookalikes import check_is_reference, check_is_text
from regimport.redact import without_user
from regimport.values import dataclass

__all__ = [
    "LayoutReference",
    "Reference",
    "is_loopback",
    "is_repository",
    "is_tag",
    "parse_end",
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
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# A text that is meant as a digest, valid or not.
_LIKE_DIGEST = re.compile(r"sha[0-9]+:")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
# OCI image specification, annotations.md, org.opencontainers.image.ref.name.
_REF_NAME = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@+/]|--)[A-Za-z0-9]+)*")
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


@dataclass(frozen=True, slots=True)
class LayoutReference:
    """An image in an OCI image layout on disk: `oci:path[:tag][@digest]`."""

    path: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> LayoutReference:
        """Read the part after `oci:` or `ocidir://`, or raise `InvalidReference`."""
        rest, digest_text = _split_digest(text)
        path, colon, tag = rest.partition(":")
        if path.startswith("//"):
            # After "oci:", two slashes would be read as part of the prefix.
            path = "/" + path.lstrip("/")
        if not path or any(ord(character) < 32 for character in path):
            raise InvalidReference(
                f"invalid layout {text[:160]!r}",
                hint="write oci:DIRECTORY, oci:DIRECTORY:TAG or oci:DIRECTORY@DIGEST",
            )
        if colon and not _REF_NAME.fullmatch(tag) and not _TAG.fullmatch(tag):
            raise _invalid_tag(tag, f"oci:{text}")
        return cls(path, tag if colon else None, Digest(digest_text) if digest_text else None)

    def __str__(self) -> str:
        """Return the form in which it is written on the command line."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """`oci:path`."""
        return f"oci:{self.path}"

    def tagged(self, tag: str | None) -> LayoutReference:
        """Return the same layout with another tag and no digest."""
        return replace(self, tag=tag, digest=None)

    def pinned(self, digest: Digest) -> LayoutReference:
        """Return the same layout by digest alone."""
        return replace(self, tag=None, digest=digest)


def parse_end(text: str) -> Reference | LayoutReference:
    """Read one end of a copy: a reference, `docker://REF`, `oci:DIR…` or `ocidir://DIR…`.

    Raise `InvalidReference`, also for a text that is an address or has another tool's transport.
    """
    check_is_text(text)
    for prefix in ("ocidir://", "oci://", "oci:"):
        if text.startswith(prefix):
            return LayoutReference.parse(text.removeprefix(prefix))
    text = text.removeprefix("docker://")
    check_is_reference(text)
    return Reference.parse(text)


def with_default_tag(reference: Reference | LayoutReference) -> Reference | LayoutReference:
    """Return the reference, with the tag `latest` if a registry's has neither tag nor digest."""
    if isinstance(reference, Reference) and reference.tag is None and reference.digest is None:
        return replace(reference, tag="latest")
    return reference


def target_of(text: str, source: Reference | LayoutReference) -> Reference | LayoutReference:
    """Read a target, filling in from `source` what it leaves out, or raise `InvalidReference`.

    A target that ends in `/` gets the source's repository appended; one without a tag gets the
    source's tag, even where it names the expected digest.
    """
    check_is_text(text)
    if text.endswith("/") and not text.startswith(("oci:", "ocidir://")):
        if isinstance(source, LayoutReference):
            raise InvalidReference(
                f"the target {text!r} ends in '/', but the source is a layout, which has no "
                "repository name to append",
                hint="write the target's repository in full",
            )
        text += source.repository
    target = parse_end(text)
    if target.tag is None and source.tag is not None:
        digest = target.digest
        target = replace(target.tagged(source.tag), digest=digest)
    return target


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


def _split_digest(text: str) -> tuple[str, str]:
    """Split a digest off a layout's path, which may have an @ in it, as Jenkins' `job@2` has."""
    rest, _, last = text.rpartition("@")
    return (rest, last) if _LIKE_DIGEST.match(last) and rest else (text, "")


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


def is_tag(text: str) -> bool:
    """Return whether a text is a valid tag (distribution specification, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def _check_tag(tag: str, text: str | None = None) -> None:
    if not is_tag(tag):
        raise _invalid_tag(tag, text)


def _invalid_tag(tag: str, text: str | None) -> InvalidReference:
    if text is not None and not tag:
        return InvalidReference(
            f"{without_user(text)[:160]!r} ends in ':' without a tag",
            hint="add a tag, or leave out the colon",
        )
    where = "" if text is None else f" in {without_user(text)[:160]!r}"
    return InvalidReference(
        f"invalid tag {tag[:160]!r}{where}",
        hint="a tag has up to 128 letters, digits, '_', '.' and '-', and no '.' or '-' first",
    )


def _invalid(text: str, reason: str) -> InvalidReference:
    return InvalidReference(
        f"invalid reference {without_user(text)[:160]!r}: {reason}",
        hint="write registry/repository:tag, registry/repository@digest, or oci:DIRECTORY",
    )
