"""`regimport copy --server-side`: what it prints and exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from regimport import Importing
from regimport.cli.documents.report import ReportDocument
from regimport.cli.progress.lines import progress_line
from regimport.cli.progress.rows import Screen, draw
from regimport.cli.progress.totals import Totals
from support.azure_cloud import HOST, Cloud, cloud
from support.inprocess import Here
from support.resource_manager import failure, resource_id

__all__ = ["cloud"]

SOURCE = "registry.example/team/app:1"
PLAIN = ("--plain-http", "registry.example", "--plain-http", HOST)


@pytest.fixture
def here(tmp_path: Path, cloud: Cloud) -> Here:
    cloud.source().hold("team/app", cloud.world.image, "1")
    return Here(tmp_path)


def test_the_pinned_target_is_printed_and_that_the_registry_has_imported_it(
    here: Here, cloud: Cloud
) -> None:
    ended = here("copy", "--server-side", *PLAIN, SOURCE, f"{HOST}/app", f"{HOST}/app:two")
    root = cloud.world.image.root
    assert (ended.code, ended.out) == (0, f"{HOST}/app@{root}\n" * 2)
    assert f"{HOST}/app:1: imported by {HOST} in " in ended.err
    assert cloud.asked["targetTags"] == ["app:1", "app:two"]


def test_the_document_is_that_of_a_copy_of_which_no_byte_passed_this_machine(
    here: Here, cloud: Cloud
) -> None:
    ended = here("copy", "--server-side", "-o", "json", *PLAIN, SOURCE, f"{HOST}/app")
    document = ReportDocument.model_validate_json(ended.out)
    assert document.digest == cloud.world.image.root
    assert (document.bytes_read, document.tally.bytes_copied) == (0, 0)
    assert (document.targets[0].status, document.targets[0].confirmed) == ("copied", True)


def test_each_look_at_the_import_is_an_event(here: Here, cloud: Cloud) -> None:
    ended = here("copy", "--server-side", "--progress", "json", *PLAIN, SOURCE, f"{HOST}/app")
    events = [json.loads(line) for line in ended.err.splitlines()]
    (importing, *_) = [event for event in events if event["event"] == "Importing"]
    assert (importing["source"], importing["target"]) == (SOURCE, HOST)


def test_a_dry_run_says_what_would_be_asked_for(here: Here, cloud: Cloud) -> None:
    ended = here("copy", "--server-side", "--dry-run", *PLAIN, SOURCE, f"{HOST}/app")
    root = cloud.world.image.root
    assert ended.code == 0
    assert f"{HOST} would be asked to import registry.example/team/app@{root}" in ended.err
    assert not cloud.manager.asked


def test_a_failure_is_told_in_the_words_of_the_command_line(here: Here, cloud: Cloud) -> None:
    cloud.manager.failing = failure("app:1 Tag app:1 already exists in target registry.")
    ended = here("copy", "-n", "--server-side", *PLAIN, SOURCE, f"{HOST}/app")
    assert (ended.code, ended.out) == (9, "")
    assert "hint: leave out --no-clobber" in ended.err
    assert cloud.asked["mode"] == "NoForce"


def test_a_resource_id_names_the_source_also_in_another_cloud(here: Here, cloud: Cloud) -> None:
    cloud.source("other.azurecr.us").hold("x", cloud.world.image, "1")
    host = "myregistry.azurecr.us"
    cloud.target = cloud.world.registry(host)
    cloud.manager.registries[host] = resource_id("myregistry")
    plain = ("--plain-http", "other.azurecr.us", "--plain-http", host)
    ended = here("copy", "--server-side", "-r", resource_id("other"), *plain, "x:1", f"{host}/x")
    assert ended.code == 0, ended.err
    assert cloud.asked["source"]["resourceId"] == resource_id("other")


def test_a_password_of_the_option_is_sent_to_azure(here: Here, cloud: Cloud) -> None:
    options = ("--source-username", "ci", "--source-password-stdin")
    ended = here("copy", "--server-side", *options, *PLAIN, SOURCE, f"{HOST}/app", stdin="pw-1\n")
    assert ended.code == 0
    assert cloud.asked["source"]["credentials"] == {"username": "ci", "password": "pw-1"}


def test_a_terminal_shows_how_long_the_registry_has_been_importing() -> None:
    totals = Totals(10.0)
    totals.take(Importing(SOURCE, HOST, 2.0), 14.0)
    line = f"{HOST} is importing the image: 9 s"
    assert progress_line(totals, 21.0) == line
    (drawn,) = draw(totals, 21.0, Screen(80, 24))
    assert drawn.plain[2:] == line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--server-side", "a", "registry.example/a"), "is in no Azure registry"),
        (("--subscription", "x", "a", f"{HOST}/a"), "--subscription is only for --server-side"),
        (("--send-credentials", "a", f"{HOST}/a"), "--send-credentials is only for"),
        (("--server-side", "--platform", "linux/amd64", "a", f"{HOST}/a"), "--platform does not"),
        (("--server-side", "--limit-rate", "1M", "a", f"{HOST}/a"), "--limit-rate does not"),
        (
            ("--server-side", "--no-attestations", "--platform", "linux/amd64", "a", f"{HOST}/a"),
            "every",
        ),
        (("--server-side", "--from-file", "list"), "--server-side is for one image"),
        (("--server-side", "--verify", "a", f"{HOST}/a"), "--verify does not"),
        (("--server-side", "--target-registry", "x", "a", f"{HOST}/a"), "must be the resource ID"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    here: Here, arguments: tuple[str, ...], said: str
) -> None:
    ended = here("copy", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_without_the_extra_the_hint_says_how_to_install_it(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "regimport.clouds.resource_manager", raising=False)
    monkeypatch.setitem(sys.modules, "azure.mgmt.containerregistry", None)
    ended = here("copy", "--server-side", *PLAIN, SOURCE, f"{HOST}/app")
    assert ended.code == 2
    assert "pip install 'azure-identity" in ended.err
    assert "azure-mgmt-containerregistry" in ended.err


def test_no_other_copy_loads_the_libraries_of_azure() -> None:
    code = (
        "import sys; from regimport.cli import copy, server_side; import regimport.api; "
        "found = [name for name in sys.modules if name.startswith('azure') "
        "or name in ('regimport.azure_import', 'regimport.clouds.resource_manager')]; "
        "print(found)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
