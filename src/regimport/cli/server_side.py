"""The options for an image that an Azure registry imports by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from regimport.errors import InvalidOptions

if TYPE_CHECKING:
    from regimport.engine.report import ImportReport, Report

__all__ = ["ServerSideOptions"]

_PANEL = "Azure"


def _text(metavar: str, help_text: str) -> object:
    return typer.Option(metavar=metavar, help=help_text, rich_help_panel=_PANEL, show_default=False)


class ServerSideOptions(NamedTuple):
    """The options of the panel "Azure", as they were written."""

    server_side: Annotated[
        bool,
        typer.Option(
            "--server-side",
            help="Let the target, an Azure registry, import the image by itself, as `az acr "
            "import` does: no blob passes this machine.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    subscription: Annotated[
        str | None,
        _text("ID", "The subscription of the target; or $AZURE_SUBSCRIPTION_ID."),
    ] = None
    target_registry: Annotated[
        str | None,
        _text("RESOURCE_ID", "The target's resource ID, if it is not to be looked for."),
    ] = None
    send_credentials: Annotated[
        bool,
        typer.Option(
            "--send-credentials",
            help="Send Azure the credentials that are found here for the source. Those of "
            "--source-password-stdin are sent in any case.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    def check_alone(self) -> None:
        """Raise `InvalidOptions` if any of these options is given, where they cannot be."""
        if self != ServerSideOptions():
            raise InvalidOptions(
                "--server-side is for one image", hint="import each with a command of its own"
            )

    def copying(self, source_registry: str | None) -> Callable[..., Report | ImportReport]:
        """Return the function that copies as the options say; raise `InvalidOptions`."""
        others = {
            "--subscription": self.subscription,
            "--target-registry": self.target_registry,
            "--send-credentials": self.send_credentials,
        }
        if not self.server_side:
            for name, value in others.items():
                if value:
                    raise InvalidOptions(f"{name} is only for --server-side")
            from regimport.api import copy

            return copy
        from regimport.azure_import import import_image
        from regimport.clouds.import_options import AzureImport
        from regimport.clouds.names import is_resource_id

        named = source_registry if source_registry and is_resource_id(source_registry) else None
        azure = AzureImport(
            subscription=self.subscription,
            target_registry=self.target_registry,
            source_registry=named,
            send_credentials=self.send_credentials,
        )
        return partial(import_image, azure=azure)
