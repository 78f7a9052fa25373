"""`regimport copy` for several images: those of a list, or tags of a repository."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from regimport import many
from regimport.cli.params import OutputKind
from regimport.cli.printer import Printer, counted
from regimport.cli.progress import reporter_for
from regimport.cli.show import show_report
from regimport.engine.many import ImageReport, ManyReport
from regimport.engine.target import Status
from regimport.models.credential import Credential
from regimport.options import CopyOptions

if TYPE_CHECKING:
    from regimport.cli.copy import SeveralOptions

__all__ = ["copy_several"]


def copy_several(
    printer: Printer,
    options: CopyOptions,
    given: tuple[Credential | None, Credential | None],
    several: SeveralOptions,
    places: tuple[str | None, Sequence[str] | None],
    output: OutputKind,
    template: str | None,
) -> int:
    """Copy the images, print what came of each, and return the exit code.

    `given` are the credentials of both sides, `places` the source and the targets of tags.
    """

    def show(image: ImageReport) -> None:
        if output is OutputKind.TEXT:
            _show(printer, image, template)

    source, targets = places
    with reporter_for(printer) as reporter:
        if several.from_file is not None:
            from regimport.cli.lists import read_list

            report = many.copy_many(
                read_list(several.from_file, several.target),
                options=options,
                source_credential=given[0],
                target_credential=given[1],
                reporter=reporter,
                finished=show,
            )
        else:
            report = many.copy_tags(
                source or "",
                *(targets or ()),
                match=several.tags or (),
                exclude=several.exclude_tags or (),
                options=options,
                source_credential=given[0],
                target_credential=given[1],
                reporter=reporter,
                finished=show,
            )
    _summarize(printer, report, output)
    return report.exit_code


def _show(printer: Printer, image: ImageReport, template: str | None) -> None:
    if image.error is not None:
        printer.note(f"{image.source}: failed")
        printer.error(image.error)
    elif image.report is not None:
        show_report(printer, image.report, OutputKind.TEXT, template)


def _summarize(printer: Printer, report: ManyReport, output: OutputKind) -> None:
    if output is OutputKind.JSON:
        from regimport.cli.documents.many import ManyReportDocument

        printer.document(ManyReportDocument.of(report).model_dump_json(indent=2))
    counts = Counter(image.status for image in report.images)
    words = {
        Status.COPIED: "copied",
        Status.PLANNED: "to copy",
        Status.PRESENT: "already there",
        Status.FAILED: "failed",
    }
    parts = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    line = f"{counted(len(report.images), 'image')}: {', '.join(parts)}"
    printer.note(f"{line} in {report.duration:.1f} s")
