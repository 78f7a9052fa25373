"""Print what a command found or did: as text, as JSON, or through a template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from regimport.cli.params import OutputKind
from regimport.cli.printer import Printer, counted, human_size
from regimport.engine.report import ImportReport, Report, TargetReport
from regimport.engine.steps import Plan, Step
from regimport.engine.target import Status
from regimport.errors import InvalidOptions, Side
from regimport.models.descriptor import Descriptor

if TYPE_CHECKING:
    from regimport.engine.differences import ReadBack, Verification
    from regimport.engine.subset import Subset

__all__ = [
    "check_template",
    "show_report",
    "show_verification",
]

_FIELD = re.compile(r"{{\s*(?:(json)\s+)?\.([A-Za-z]*)\s*}}")


def show_report(
    printer: Printer, report: Report | ImportReport, output: OutputKind, template: str | None
) -> None:
    """Print the result of a copy on standard output, and a summary on standard error."""
    subset = None if isinstance(report, ImportReport) else report.subset
    if output is OutputKind.JSON:
        from regimport.cli.documents.report import ReportDocument

        printer.document(ReportDocument.of(report).model_dump_json(indent=2))
    else:
        if subset is not None and report.dry_run and template is None:
            for line in subset.index.raw.decode().splitlines():
                printer.result(line)
        for target in report.targets:
            _show_target(printer, report, target, template)
    _show_endings(printer, report)
    if subset is not None:
        printer.note(_new_index(subset))
    if report.rate_limit is not None:
        registry = report.source.partition("/")[0]
        printer.note(f"{registry}: {counted(report.pulls, 'pull')} spent; {report.rate_limit}")


def _show_endings(printer: Printer, report: Report | ImportReport) -> None:
    """Print how the copy to each target ended, on standard error."""
    # The tags of a repository share their counts, and an error.
    first_of: dict[str, TargetReport] = {}
    errors = dict.fromkeys(report.failures)
    for target in report.targets:
        if target.error is not None:
            if target.error in errors:
                del errors[target.error]
                printer.error(target.error)
        elif isinstance(report, ImportReport):
            printer.note(_imported(report, target))
        elif target.status is Status.PRESENT:
            more = _attached(report, target)
            there = "already whole" if target.examined else "already there"
            printer.note(f"{target.reference}: {there}{more}{_verified(target)}")
        elif (first := first_of.setdefault(target.pinned, target)) is not target:
            word = "to tag" if target.status is Status.PLANNED else "tagged"
            note = f"{target.reference}: {word}, counted with {first.reference}"
            printer.note(f"{note}{_verified(target)}{_kept(target)}")
        else:
            printer.note(_summary(report, target))


def _new_index(subset: Subset) -> str:
    """Return what the new index is, and what does not go with it."""
    part = ", ".join(subset.platforms) or "all platforms"
    without = "" if subset.attestations else ", without attestations"
    return (
        f"new index of {part}{without}: {subset.digest}; signatures and referrers of the old one, "
        f"{subset.source}, do not cover it, and stay behind"
    )


def show_verification(printer: Printer, found: Verification, output: OutputKind) -> None:
    """Print a line for each difference, or the target by digest if there is none."""
    if output is OutputKind.JSON:
        from regimport.cli.documents.verification import VerificationDocument

        printer.document(VerificationDocument.of(found).model_dump_json(indent=2))
    else:
        for difference in found.differences:
            printer.result(str(difference))
        if not found.differences:
            printer.result(found.target)
    for end in found.ends:
        printer.note(_reading(end))
    if {difference.side for difference in found.differences} == {Side.TARGET}:
        printer.note("hint: regimport copy --repair SOURCE TARGET sends what is missing or wrong")


def check_template(template: str, output: OutputKind) -> None:
    """Raise `InvalidOptions` for a template with an unknown field, or beside a JSON document."""
    if output is OutputKind.JSON:
        raise InvalidOptions(
            "--format and --output json cannot be given together",
            hint="leave one of them out; --format '{{json .}}' prints a JSON object per target",
        )
    known = set(_fields(None, None))
    for _, name in _FIELD.findall(template):
        if name and name.lower() not in known:
            raise InvalidOptions(
                f"unknown field .{name}; there are "
                + ", ".join(f".{known}" for known in _FIELD_NAMES),
                hint="write the fields in braces, as in {{.Digest}}",
            )
    if "{{" in _FIELD.sub("", template):
        raise InvalidOptions(
            f"invalid template {template!r}", hint="write fields as {{.Digest}}, or {{json .}}"
        )


def _show_target(
    printer: Printer, report: Report | ImportReport, target: TargetReport, template: str | None
) -> None:
    if target.error is not None:
        return
    if template is not None:
        printer.result(_render(template, report, target))
    elif target.status is Status.PLANNED and target.plan is not None:
        for line in _plan(target.plan):
            printer.result(line)
    else:
        printer.result(target.pinned)


_FIELD_NAMES = ("Digest", "MediaType", "Pinned", "Reference", "Size", "Source", "Status", "Tag")


def _fields(
    report: Report | ImportReport | None, target: TargetReport | None
) -> Mapping[str, object]:
    values = dict.fromkeys((name.lower() for name in _FIELD_NAMES), None)
    if report is None or target is None:
        return values
    root = report.root
    return {
        "digest": "" if root is None else str(root.digest),
        "mediatype": "" if root is None else root.media_type,
        "pinned": target.pinned,
        "reference": target.reference,
        "size": 0 if root is None else root.size,
        "source": report.source,
        "status": target.status.value,
        "tag": target.tag or "",
    }


def _render(template: str, report: Report | ImportReport, target: TargetReport) -> str:
    fields = _fields(report, target)

    def value(match: re.Match[str]) -> str:
        as_json, name = match[1], match[2].lower()
        found = fields[name] if name else dict(fields)
        return json.dumps(found) if as_json or not name else str(found)

    return _FIELD.sub(value, template)


def _summary(report: Report, target: TargetReport) -> str:
    tally = target.tally
    parts = [
        counted(tally.manifests_copied, "manifest"),
        f"{counted(tally.blobs_copied, 'blob')} ({human_size(tally.bytes_copied)})",
    ]
    line = f"{target.reference}: {' and '.join(parts)} "
    line += "to copy" if target.status is Status.PLANNED else "copied"
    if tally.blobs_mounted:
        word = "to mount" if target.status is Status.PLANNED else "mounted"
        line += f", {tally.blobs_mounted} {word} ({human_size(tally.bytes_mounted)})"
    if tally.blobs_present:
        line += f", {tally.blobs_present} already there ({human_size(tally.bytes_present)})"
    if tally.blobs_skipped:
        line += f", {counted(tally.blobs_skipped, 'foreign layer')} not copied"
    if report.referrers is not None:
        line += f", {counted(len(report.referrers.found), 'referrer')} among them"
    if target.status is Status.PLANNED:
        return f"{line}{_kept(target)}"
    return f"{line} in {report.duration:.1f} s{_verified(target)}{_kept(target)}"


def _imported(report: ImportReport, target: TargetReport) -> str:
    registry = target.repository.partition("/")[0]
    if target.status is Status.PRESENT:
        return f"{target.reference}: already there"
    if target.status is Status.PLANNED:
        return f"{target.reference}: {registry} would be asked to import {report.source}"
    seen = "" if target.confirmed else "; it cannot be looked at from here"
    return f"{target.reference}: imported by {registry} in {report.duration:.1f} s{seen}"


def _attached(report: Report, target: TargetReport) -> str:
    """Return what was done about the referrers of an image that was there already."""
    if report.referrers is None:
        return ""
    found, copied = counted(len(report.referrers.found), "referrer"), target.tally.manifests_copied
    return f", {found}, {counted(copied, 'manifest')} {'to copy' if report.dry_run else 'copied'}"


def _kept(target: TargetReport) -> str:
    """Return where the old image of a tag is, or will be."""
    if target.backup is None:
        return ""
    word = "is to be kept" if target.status is Status.PLANNED else "is"
    return f"; the old image {word} at {target.backup}"


def _verified(target: TargetReport) -> str:
    return "" if target.verification is None else "; verified"


def _reading(end: ReadBack) -> str:
    line = (
        f"{end.side}: read {counted(end.manifests, 'manifest')} and {counted(end.blobs, 'blob')} "
    )
    line += f"({human_size(end.bytes_read)}), "
    line += counted(len(end.differences), "difference") if end.differences else "no differences"
    if end.skipped:
        line += f", {counted(end.skipped, 'foreign layer')} not copied"
    return line


def _plan(plan: Plan) -> Iterator[str]:
    for kind, steps in (("blob", plan.blobs), ("manifest", plan.manifests)):
        for step in steps:
            yield _planned(kind, step)


def _planned(kind: str, step: Step) -> str:
    return f"{step.action:7} {kind:8} {_described(step.descriptor)}"


def _described(descriptor: Descriptor) -> str:
    platform = f"  {descriptor.platform}" if descriptor.platform else ""
    return f"{descriptor.digest}  {human_size(descriptor.size)}{platform}"
