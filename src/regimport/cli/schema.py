"""`regimport schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["schema"]


class DocumentName(StrEnum):
    """The documents that commands print as JSON, and the configuration file."""

    REPORT = "report"
    REPORTS = "reports"
    INSPECTION = "inspection"
    IMAGES = "images"
    VERIFICATION = "verification"
    TAGS = "tags"
    REPOSITORIES = "repositories"
    DIGEST = "digest"
    DELETION = "deletion"
    COMPARISON = "comparison"
    RATELIMIT = "ratelimit"
    EXPLANATION = "explanation"
    ERROR = "error"
    EVENTS = "events"
    CONFIG = "config"


DocumentArgument = Annotated[
    DocumentName,
    typer.Argument(
        help="That of the command of this name; report is that of copy, reports of copy with "
        "several images, inspection of inspect, images of inspect where an archive has "
        "several, verification of verify, deletion of delete, comparison of diff, explanation "
        "of auth explain, error of any other command that fails, events the lines of "
        "--progress json, config the configuration file."
    ),
]


def schema(document: DocumentArgument) -> None:
    """Print the JSON Schema of a document that a command prints, or of the configuration.

    Example: regimport schema report
    """
    import json

    from pydantic import TypeAdapter

    from regimport.cli.printer import Printer

    if document is DocumentName.EVENTS:
        from regimport.cli.documents.events import AnyLine

        adapter: TypeAdapter[object] = TypeAdapter(AnyLine)
        found = adapter.json_schema(mode="serialization")
    else:
        found = _models()[document].model_json_schema()
    Printer().document(json.dumps(found, indent=2))


def _models() -> dict[str, type[BaseModel]]:
    from regimport.cli.documents.comparison import ComparisonDocument
    from regimport.cli.documents.deletion import DeletionDocument
    from regimport.cli.documents.digest import DigestDocument
    from regimport.cli.documents.explanation import ExplanationDocument
    from regimport.cli.documents.failure import FailureDocument
    from regimport.cli.documents.images import ImagesDocument
    from regimport.cli.documents.inspection import InspectionDocument
    from regimport.cli.documents.many import ManyReportDocument
    from regimport.cli.documents.ratelimit import RateLimitAnswer
    from regimport.cli.documents.report import ReportDocument
    from regimport.cli.documents.repositories import RepositoriesDocument
    from regimport.cli.documents.tags import TagsDocument
    from regimport.cli.documents.verification import VerificationDocument
    from regimport.configuration.document import ConfigDocument

    return {
        DocumentName.REPORT: ReportDocument,
        DocumentName.REPORTS: ManyReportDocument,
        DocumentName.INSPECTION: InspectionDocument,
        DocumentName.IMAGES: ImagesDocument,
        DocumentName.VERIFICATION: VerificationDocument,
        DocumentName.TAGS: TagsDocument,
        DocumentName.REPOSITORIES: RepositoriesDocument,
        DocumentName.DIGEST: DigestDocument,
        DocumentName.COMPARISON: ComparisonDocument,
        DocumentName.DELETION: DeletionDocument,
        DocumentName.RATELIMIT: RateLimitAnswer,
        DocumentName.EXPLANATION: ExplanationDocument,
        DocumentName.ERROR: FailureDocument,
        DocumentName.CONFIG: ConfigDocument,
    }
