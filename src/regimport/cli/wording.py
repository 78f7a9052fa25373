"""What the library says in the words of the command line: options, and no URLs of blobs."""

from __future__ import annotations

import re

__all__ = ["with_options", "without_blob_urls"]

# The parameters that are named in messages and hints, in backquotes.
_OPTIONS = {
    "attestations": "--no-attestations",
    "as_index": "--as-index",
    "authfile": "--authfile FILE",
    "backup": "--backup",
    "ca_file": "--ca-file (of a copy: --source-ca-file, --target-ca-file)",
    "cert_file": "--cert (of a copy: --source-cert, --target-cert)",
    "create_repository": "--create-repository",
    "deadline": "--deadline",
    "foreign_layers": "--foreign-layers",
    "insecure": "--insecure HOST",
    "jobs": "--jobs",
    "key_file": "--key (of a copy: --source-key, --target-key)",
    "max_layer_size": "--max-layer-size",
    "max_manifests": "--max-manifests",
    "no_clobber": "--no-clobber",
    "plain_http": "--plain-http HOST",
    "platforms": "--platform",
    "referrers": "--referrers",
    "repair": "--repair",
    "resolve": "--resolve",
    "send_credentials": "--send-credentials",
    "server_side": "--server-side",
    "source_credential": "--source-username with --source-password-stdin",
    "source_registry": "--source-registry",
    "subscription": "--subscription",
    "target_registry": "--target-registry",
    "target_credential": "--target-username with --target-password-stdin",
    "limit_rate": "--limit-rate",
    "verify": "--verify",
    "with_tags": "--with-tags",
}
_BLOB_REQUEST = re.compile(
    r"\b(GET|HEAD|POST|PATCH|PUT) https?://([^/\s]+)/v2/\S+?/blobs/(\S+) answered\b"
)
_BLOB = re.compile(r"sha\d+:[0-9a-f]{12}")
_PARAMETER = re.compile(r"`([a-z_]+)(?:=([^`\s]+))?`")


def with_options(text: str) -> str:
    """Return a message with the options of the command line in the place of parameters."""
    return _PARAMETER.sub(_with_option, text)


def _with_option(named: re.Match[str]) -> str:
    """Return the option of a parameter, with the value that is proposed for it, if there is one."""
    option = _OPTIONS.get(named[1], named[0])
    return option if named[2] is None or option == named[0] else f"{option.split()[0]} {named[2]}"


def without_blob_urls(text: str) -> str:
    """Return a message with what a request for a blob was for in the place of its URL."""
    return _BLOB_REQUEST.sub(_request_for_blob, text)


def _request_for_blob(request: re.Match[str]) -> str:
    method, host, path = request.groups()
    digest = _BLOB.search(path)
    blob = f"blob {digest[0]}…" if digest else "a blob"
    doing = "request for" if method in {"GET", "HEAD"} else "upload of"
    preposition = "at" if method in {"GET", "HEAD"} else "to"
    return f"the {doing} {blob} {preposition} {host} was answered"
