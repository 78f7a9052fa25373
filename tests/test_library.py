"""What a program that uses the library gets: the values it may give, and a report to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

import regimport
from regimport import (
    CopyOptions,
    InvalidOptions,
    InvalidReference,
    Limits,
    Platform,
    Report,
    RetryPolicy,
    Timeouts,
    copy,
    events,
    inspect,
)
from regimport.cli.documents.report import ReportDocument
from regimport.server.run import serving

LAYOUT = f"oci:{Path(__file__).parents[1]}/examples/hello-world/layout:latest"


def report_of(tmp_path: Path, **options: Any) -> Report:
    targets = [f"oci:{tmp_path}/a", f"oci:{tmp_path}/b:2"]
    return copy(LAYOUT, targets, options=CopyOptions(**options))


def test_targets_may_be_a_list_or_several_or_both(tmp_path: Path) -> None:
    names = [f"oci:{tmp_path}/{name}" for name in "abcd"]
    report = copy(LAYOUT, names[0], names[1:3], (names[3],))
    assert [target.reference for target in report.targets] == [f"{name}:latest" for name in names]


@pytest.mark.parametrize("targets", [[1], [None], [["r.example/a", 2]], [b"r.example/a"]])
def test_a_target_of_another_type_is_called_that(targets: list[Any]) -> None:
    with pytest.raises(InvalidReference, match="must be a string"):
        copy(LAYOUT, *targets)
    with pytest.raises(InvalidReference, match="must be a string, not of type list"):
        copy(targets, "r.example/a")  # type: ignore[arg-type]


@pytest.mark.parametrize("targets", [[], [[]]])
def test_a_copy_needs_a_target(targets: list[Any]) -> None:
    with pytest.raises(InvalidOptions, match="needs a target"):
        copy(LAYOUT, *targets)


@pytest.mark.parametrize(
    "platforms",
    ["linux/arm64", ("linux/arm64",), ["linux/arm64"], [Platform("linux", "arm64")]],
)
def test_a_platform_may_be_written(platforms: Any) -> None:
    options = CopyOptions(platforms=platforms)
    assert options.platforms == (Platform("linux", "arm64"),)
    assert [
        str(child.descriptor.platform) for child in inspect(LAYOUT, options=options).root.children
    ] == ["linux/arm64/v8"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"deadline": "5m"}, "deadline must be a number, not '5m'"),
        ({"deadline": True}, "deadline must be a number, not True"),
        ({"limit_rate": "10M"}, "limit_rate must be a number, not '10M'"),
        ({"jobs": "4"}, "jobs must be from 1 to 256, not '4'"),
        ({"jobs": 2.5}, "jobs must be from 1 to 256, not 2.5"),
        ({"plain_http": "r.example"}, "plain_http must be a set of registries"),
        ({"platforms": (1,)}, "a platform must be a Platform or a string, not 1"),
    ],
)
def test_an_option_of_another_type_is_refused_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        CopyOptions(**options)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        (Timeouts, {"connect": "5s"}, "connect must be a number, not '5s'"),
        (RetryPolicy, {"attempts": 2.5}, "attempts must be a number, not 2.5"),
        (RetryPolicy, {"max_wait": "5m"}, "max_wait must be a number, not '5m'"),
        (Limits, {"max_layer_size": "2GiB"}, "max_layer_size must be a number, not '2GiB'"),
        (CopyOptions, {"limits": "2GiB"}, "limits must be of type Limits, not '2GiB'"),
        (CopyOptions, {"network": {}}, "network must be of type Network, not {}"),
        (CopyOptions, {"no_clobber": "yes"}, "no_clobber must be of type bool, not 'yes'"),
        (CopyOptions, {"platforms": None}, "platforms must be a tuple of platforms, not None"),
    ],
)
def test_a_setting_of_another_type_is_refused_by_name(
    kind: type, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidOptions) as caught:
        kind(**given)
    assert caught.value.message == says


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"options": {"dry_run": True}}, "options must be CopyOptions, not of type dict"),
        ({"source_credential": ("ci", "s3cret")}, "a credential must be a Credential, not of type"),
        ({"target_credential": "s3cret"}, "a credential must be a Credential, not of type str"),
        ({"reporter": print}, "reporter must be a Reporter"),
        ({"stop": 5}, "stop must be a threading.Event, not of type int"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(
    given: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOptions) as caught:
        copy(LAYOUT, f"oci:{tmp_path}/a", **given)
    assert says in caught.value.message
    assert "s3cret" not in caught.value.message
    assert not (tmp_path / "a").exists()


def test_every_kind_of_event_is_exported() -> None:
    assert {kind.__name__ for kind in get_args(events.Event)} <= set(regimport.__all__)


def test_a_printed_report_is_a_short_line_for_each_target(tmp_path: Path) -> None:
    report = report_of(tmp_path)
    first, second = str(report).splitlines()
    assert first == f"oci:{tmp_path}/a@{report.root.digest}: copied"
    assert second.endswith(": copied")
    with serving(tmp_path / "a") as registry:
        failed = copy(LAYOUT, [f"{registry.address}/app", "127.0.0.1:1/app"])
    assert "127.0.0.1:1/app:latest: failed: " in str(failed).splitlines()[1]


def test_a_report_as_json_is_what_the_command_prints(tmp_path: Path) -> None:
    reports = [
        report_of(tmp_path, dry_run=True),
        report_of(tmp_path, verify=True),
        report_of(tmp_path),
        copy(LAYOUT, [f"oci:{tmp_path}/c", f"oci:{tmp_path}/d@sha256:{'0' * 64}"]),
    ]
    assert [target.error is None for target in reports[-1].targets] == [True, False]
    for report in reports:
        printed = json.loads(ReportDocument.of(report).model_dump_json())
        assert json.loads(report.to_json()) == printed
