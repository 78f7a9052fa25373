"""`regimport auth explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from regimport.cli import params, settings
from regimport.cli.credentials import Authfile
from regimport.cli.printer import Printer

if TYPE_CHECKING:
    from regimport.credentials.keychain import Explanation

__all__ = ["explain"]


def explain(
    reference: params.ReferenceArgument,
    *,
    authfile: Authfile = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """Explain which credentials are used for a reference as source and as target, and why.

    The places are searched as a copy searches them, in the same order. No secret is shown.

    Example: regimport auth explain docker.io/library/hello-world
    """
    from regimport import accounts
    from regimport.cli.progress import reporter_for

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    with reporter_for(printer) as reporter:
        place, sides = accounts.explain(
            reference, options=settings.basic_options(authfile), reporter=reporter
        )
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.explanation import ExplanationDocument

        printer.document(ExplanationDocument.of(place, sides).model_dump_json(indent=2))
        # The document has the errors in it: there is no second one for them.
        for error in (found.error for found in sides.values() if found.error is not None):
            printer.error(error)
            raise typer.Exit(error.exit_code)
        return
    for side, found in sides.items():
        printer.result(f"{place.name} as a {side}: {_describe(found)}")
        _show(printer, found)
    for found in sides.values():
        if found.error is not None:
            raise found.error


def _show(printer: Printer, found: Explanation) -> None:
    width = max(len(look.place) for look in found.looked)
    for number, look in enumerate(found.looked, 1):
        detail = f": {look.detail}" if look.detail else ""
        printer.result(f"  {number}. {look.place:{width}}  {look.outcome}{detail}")


def _describe(found: Explanation) -> str:
    if found.error is not None:
        return "a copy fails with an error"
    credential = None if found.used is None else found.used.credential
    return "anonymous" if credential is None else credential.described
