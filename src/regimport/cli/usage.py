"""Wrong usage, answered with what does it here: the commands and options of other tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "Group", "answer_to"]

_COPY = "`regimport copy SOURCE TARGET` copies an image"
_SAVE = (
    "`regimport copy SOURCE oci:DIRECTORY` copies an image to a layout on disk, and "
    "`regimport copy SOURCE oci-archive:FILE` to an archive"
)
_REPOSITORIES = "`regimport repositories REGISTRY` lists what a registry has"
_TAGS = "`regimport tags REPOSITORY` lists the tags of a repository"
# The words of az acr, crane, docker, oras, regctl and skopeo.
_COMMANDS: Mapping[str, str] = {
    "artifact": _COPY,
    "catalog": _REPOSITORIES,
    "export": _SAVE,
    "image": "leave out `image`: `regimport copy`, `regimport inspect`, `regimport digest`",
    "import": _COPY,
    "list": _TAGS,
    "list-tags": _TAGS,
    "load": "`regimport copy docker-archive:FILE TARGET` copies an image of `docker save`",
    "manifest": "`regimport inspect --raw REFERENCE` prints a manifest, `regimport inspect "
    "REFERENCE` shows what is in it",
    "mirror": _COPY,
    "pull": _SAVE,
    "push": "`regimport copy oci:DIRECTORY TARGET` copies an image from a layout on disk, and "
    "`regimport copy oci-archive:FILE TARGET` from an archive",
    "repo": f"{_TAGS}; {_REPOSITORIES}",
    "repository": f"{_TAGS}; {_REPOSITORIES}",
    "rm": "`regimport delete REFERENCE...` deletes tags, and manifests by digest",
    "save": _SAVE,
    "sync": _COPY,
    "tag": "`regimport copy REPOSITORY:OLD REPOSITORY:NEW` tags an image",
    "validate": "`regimport verify SOURCE TARGET` reads an image back and hashes it",
}
_REQUIRED: Mapping[str, str] = {"[SOURCE]": "SOURCE", "[TARGET...]": "TARGET..."}
_STDIN = "the password is read from standard input: --{0}username with --{0}password-stdin"
_TLS = "--plain-http HOST is for a registry without TLS, --insecure HOST checks no certificate"
_OPTIONS: Mapping[str, str] = {
    "--all": "every platform is copied by default; --platform copies one",
    "--all-platforms": "every platform is copied by default; --platform copies one",
    "--allow-nondistributable-artifacts": "foreign layers are copied if the source has them",
    "--command-timeout": "--deadline is the time in which all must be done",
    "--creds": _STDIN.format(""),
    "--dest-creds": _STDIN.format("target-"),
    "--dest-tls-verify": _TLS,
    "--no-wait": "Ctrl-C ends the wait for --server-side; the registry goes on",
    "--force": "tags are overwritten by default; --no-clobber prevents it",
    "--force-recursive": "--repair looks at everything that is there, and sends what is missing",
    "--multi-arch": "every platform is copied by default; --platform copies one",
    "--password": _STDIN.format(""),
    "--preserve-digests": "digests never change",
    "--retry-times": "what may pass is retried by default",
    "--src-creds": _STDIN.format("source-"),
    "--src-tls-verify": _TLS,
    "--tls-verify": _TLS,
}


def answer_to(command: str) -> str | None:
    """Return what does here what `command` of another tool does, as a part of a message."""
    return _COMMANDS.get(command)


class Group(TyperGroup):
    """The commands; the name of another tool's command is answered with the one that does it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or fail with a suggestion."""
        name = args[0]
        if name in _COMMANDS and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}: {_COMMANDS[name]}.")
        return super().resolve_command(ctx, args)


class Command(TyperCommand):
    """A command; another tool's option is answered with what does it."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        for parameter in self.params:
            _name_range(parameter.type)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, or fail with a suggestion."""
        own = {name for parameter in self.params for name in parameter.opts}
        options = args[: args.index("--")] if "--" in args else args
        for option in options:
            name = option.partition("=")[0]
            if name in _OPTIONS and name not in own:
                ctx.fail(f"No such option {name}: {_OPTIONS[name]}.")
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, where an argument in capitals is required.

        Those of `copy` are, unless an option names the images.
        """
        pieces = [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]
        # Some versions of Typer add dots to a name that has them already.
        pieces = [piece.replace("......", "...").replace("...]...", "...]") for piece in pieces]
        return [_REQUIRED.get(piece, piece) for piece in pieces]


def _name_range(kind: Any) -> None:
    """Call a range of numbers what people call it, in the help and where a value is wrong."""
    if not hasattr(kind, "_describe_range"):
        return
    described = f"{kind.min} to {kind.max}" if kind.max is not None else f"{kind.min} or more"
    kind.name = "number"
    kind._describe_range = lambda: described  # noqa: SLF001 - Typer has no other place for it
