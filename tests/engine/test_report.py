"""What a copy reports of each target, in the words and the order of the user."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.memory import Memory, copy_to, root_of
from regimport.engine.differences import Difference, Flaw, Part, ReadBack
from regimport.engine.report import Report, TargetReport, target_reports
from regimport.engine.steps import Action, Plan, Step
from regimport.engine.tally import Tally
from regimport.engine.target import Status, TargetCopy
from regimport.errors import AccessDenied, ContentMismatch, NotFound, RegimportError, Side
from regimport.models.reference import Reference
from support.images import single

_ROOT = root_of(single())
_PLAN = Plan((Step(_ROOT, Action.COPY),), (Step(_ROOT, Action.COPY),))


def copy_of(*tags: str, repository: str = "x") -> TargetCopy:
    return copy_to(Memory(f"target.example/{repository}"), *tags)


def reports(*copies: TargetCopy) -> tuple[TargetReport, ...]:
    references = [reference for copy in copies for reference in copy.references]
    return target_reports(references, copies, _ROOT)


def report_of(*targets: TargetReport) -> Report:
    return Report("source.example/x", _ROOT, targets, 0.0)


def test_each_tag_has_a_report_in_the_order_in_which_the_user_named_them() -> None:
    present = replace(copy_of("b"), status=Status.PRESENT)
    copied = replace(copy_of("a", "c"), status=Status.COPIED, tally=Tally(manifests_copied=1))
    names = [Reference("target.example", "x", tag) for tag in ("a", "b", "c", "b")]
    found = target_reports(names, [present, copied], _ROOT)
    assert [(one.tag, one.status) for one in found] == [
        ("a", Status.COPIED),
        ("b", Status.PRESENT),
        ("c", Status.COPIED),
        ("b", Status.PRESENT),
    ]
    assert found[0].reference == "target.example/x:a"
    assert found[0].pinned == f"target.example/x@{_ROOT.digest}"
    assert found[0].tally == found[2].tally == copied.tally


def test_a_target_that_failed_has_its_error() -> None:
    error = AccessDenied("no")
    [found] = reports(copy_of("1").failed(error))
    assert (found.status, found.error) == (Status.FAILED, error)


def test_a_dry_run_counts_what_the_plan_would_do() -> None:
    [found] = reports(replace(copy_of("1"), plan=_PLAN))
    assert (found.status, found.plan) == (Status.PLANNED, _PLAN)
    assert found.tally == Tally(manifests_copied=1, blobs_copied=1, bytes_copied=_ROOT.size)


def test_what_was_done_is_counted_where_something_was() -> None:
    tally = Tally(blobs_mounted=1)
    copied = replace(copy_of("1"), plan=_PLAN, status=Status.COPIED, tally=tally)
    assert reports(copied)[0].tally == tally


def test_a_tag_that_differs_fails_alone() -> None:
    wrong = Difference(Side.TARGET, Flaw.TAG, Part.TAG, "2", _ROOT.digest, "another")
    read = ReadBack(Side.TARGET, "target.example/x", differences=(wrong,))
    copied = replace(copy_of("1", "2"), status=Status.COPIED, verification=read)
    good, bad = reports(copied)
    assert (good.status, good.error) == (Status.COPIED, None)
    assert good.verification is not None
    assert good.verification.differences == ()
    assert bad.status is Status.FAILED
    assert isinstance(bad.error, ContentMismatch)


def test_a_layer_that_differs_fails_every_tag() -> None:
    wrong = Difference(Side.TARGET, Flaw.MISSING, Part.LAYER, _ROOT.digest, _ROOT.digest)
    read = ReadBack(Side.TARGET, "target.example/x", differences=(wrong,))
    found = reports(replace(copy_of("1", "2"), status=Status.COPIED, verification=read))
    assert [type(one.error) for one in found] == [NotFound, NotFound]


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([None, None], 0),
        ([None, AccessDenied("no")], 4),
        ([AccessDenied("no"), AccessDenied("nor here")], 4),
        ([AccessDenied("no"), NotFound("gone")], 1),
    ],
)
def test_the_exit_code_is_what_all_failures_share(
    errors: list[RegimportError | None], code: int
) -> None:
    targets = [TargetReport("r", None, Status.FAILED, "p", error=error) for error in errors]
    report = report_of(*targets)
    assert report.exit_code == code
    assert report.failures == tuple(error for error in errors if error is not None)


def test_the_first_failure_is_raised_on_request() -> None:
    report_of(TargetReport("r", None, Status.COPIED, "p")).raise_for_failure()
    errors = [AccessDenied("first"), NotFound("second")]
    targets = [TargetReport("r", None, Status.FAILED, "p", error=error) for error in errors]
    with pytest.raises(AccessDenied, match="first"):
        report_of(*targets).raise_for_failure()
