"""The keys of the configuration file, as pydantic models."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from regimport.errors import InvalidOptions
from regimport.network import RegistrySettings, Tls, check_url

__all__ = ["ConfigDocument", "RegistryDocument"]

_NAME = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
)


def _url(value: str) -> str:
    try:
        check_url(value)
    except InvalidOptions as error:
        raise ValueError(f"{error.message}; {error.hint}") from error
    return value


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("a registry is named HOST or HOST:PORT")
    return value


Url = Annotated[str, AfterValidator(_url)]
Name = Annotated[str, AfterValidator(_name)]
File = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    """A table without unknown keys, whose values are not converted from another type."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


class RegistryDocument(_Table):
    """The settings of one registry. Relative paths start at the folder of the file."""

    endpoint: Url | None = Field(
        None, description="The URL that serves its API, instead of https and its own name."
    )
    mirrors: list[Url] = Field(
        default=[],
        description="URLs of mirrors of its images, which are asked first, in this order. A path "
        "in the URL is put before the name of each repository.",
    )
    plain_http: bool = Field(False, description="Use http, not https.")
    insecure: bool = Field(False, description="Do not check its certificate.")
    ca_file: File | None = Field(
        None, description="Authorities to trust besides those of the system: PEM."
    )
    cert: File | None = Field(None, description="The client certificate: PEM.")
    key: File | None = Field(
        None, description="The key of the client certificate, unless it is in the same file: PEM."
    )
    concurrency: int | None = Field(
        None, ge=1, le=256, description="How many blobs and manifests to copy at once."
    )
    request_rate: float | None = Field(None, gt=0, description="The most requests per second.")

    def settings(self) -> RegistrySettings:
        """Return the settings in the form of the library; raise `InvalidOptions`."""
        return RegistrySettings(
            tls=Tls(
                ca_file=self.ca_file,
                cert_file=self.cert,
                key_file=self.key,
                insecure=self.insecure,
            ),
            plain_http=self.plain_http,
            endpoint=self.endpoint,
            mirrors=tuple(self.mirrors),
            concurrency=self.concurrency,
            request_rate=self.request_rate,
        )


class ConfigDocument(_Table):
    """The configuration file."""

    registry: dict[Name, RegistryDocument] = Field(
        default={}, description="The settings of each registry, by HOST or HOST:PORT."
    )
