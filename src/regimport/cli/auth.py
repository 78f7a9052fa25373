"""`regimport auth explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    """Tell which credentials a reference gets, as a source and as a target, and why.

    Each place is looked at as a copy looks at it, in the same order; no secret is shown.

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
        from regimport.cli.explanation import ExplanationDocument

        printer.document(ExplanationDocument.of(place, sides).model_dump_json(indent=2))
    else:
        for side, found in sides.items():
            printer.result(f"{place.name} as a {side}: {_who(found)}")
            _show(printer, found)
    for found in sides.values():
        if found.error is not None:
            raise found.error


def _show(printer: Printer, found: Explanation) -> None:
    width = max(len(one.place) for one in found.looked)
    for number, one in enumerate(found.looked, 1):
        detail = f": {one.detail}" if one.detail else ""
        printer.result(f"  {number}. {one.place:{width}}  {one.outcome}{detail}")


def _who(found: Explanation) -> str:
    if found.error is not None:
        return "a copy ends with an error"
    credential = None if found.used is None else found.used.credential
    return "nobody" if credential is None else credential.described
