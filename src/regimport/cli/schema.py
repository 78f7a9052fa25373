"""`regimport schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["schema"]


class DocumentName(StrEnum):
    """The documents that commands print with `--output json`."""

    REPORT = "report"
    INSPECTION = "inspection"


DocumentArgument = Annotated[
    DocumentName, typer.Argument(help="report (of copy) or inspection (of inspect).")
]


def schema(document: DocumentArgument) -> None:
    """Print the JSON Schema of a document that `--output json` gives.

    Example: regimport schema report
    """
    import json  # noqa: PLC0415 - --help needs none of it

    from regimport.cli.documents import DOCUMENTS  # noqa: PLC0415
    from regimport.cli.printer import Printer  # noqa: PLC0415

    Printer().document(json.dumps(DOCUMENTS[document].model_json_schema(), indent=2))
