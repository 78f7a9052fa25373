"""`regimport schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["schema"]


class DocumentName(StrEnum):
    """The documents that commands print with `--output json`, and the configuration file."""

    REPORT = "report"
    INSPECTION = "inspection"
    VERIFICATION = "verification"
    RATELIMIT = "ratelimit"
    EXPLANATION = "explanation"
    CONFIG = "config"


DocumentArgument = Annotated[
    DocumentName,
    typer.Argument(
        help="report (of copy), inspection (of inspect), verification (of verify), ratelimit, "
        "explanation (of auth explain), or config (the configuration file)."
    ),
]


def schema(document: DocumentArgument) -> None:
    """Print the JSON Schema of a document that `--output json` prints, or of the configuration.

    Example: regimport schema report
    """
    import json

    from regimport.cli.documents.explanation import ExplanationDocument
    from regimport.cli.documents.inspection import InspectionDocument
    from regimport.cli.documents.ratelimit import RateLimitAnswer
    from regimport.cli.documents.report import ReportDocument
    from regimport.cli.documents.verification import VerificationDocument
    from regimport.cli.printer import Printer
    from regimport.configuration.document import ConfigDocument

    known: dict[str, type[BaseModel]] = {
        DocumentName.REPORT: ReportDocument,
        DocumentName.INSPECTION: InspectionDocument,
        DocumentName.VERIFICATION: VerificationDocument,
        DocumentName.RATELIMIT: RateLimitAnswer,
        DocumentName.EXPLANATION: ExplanationDocument,
        DocumentName.CONFIG: ConfigDocument,
    }
    Printer().document(json.dumps(known[document].model_json_schema(), indent=2))
