"""An Azure registry imports an image by itself: what it is asked, and what is reported."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from regimport import (
    AccessDenied,
    AzureImport,
    ContentMismatch,
    Credential,
    DeadlineExceeded,
    Interrupted,
    InvalidOptions,
    LimitExceeded,
    Limits,
    NotFound,
    Status,
    TagExists,
    Unreachable,
)
from regimport.models.credential import ANYBODY
from regimport.models.digest import Digest
from support.azure_cloud import HOST, Cloud
from support.images import many_platforms, single
from support.miniature import BasicDoor, as_json
from support.resource_manager import SUBSCRIPTION, failure, resource_id

SOURCE = "registry.example/team/app:1"


def test_the_registry_is_asked_for_what_the_tag_points_to_now(cloud: Cloud) -> None:
    """Azure/azure-cli#29974: a tag that moves meanwhile tears an image that is asked for by tag."""
    cloud.source().hold("team/app", cloud.world.image, "1")
    report = cloud.run(SOURCE, f"{HOST}/app")
    root = cloud.world.image.root
    assert cloud.asked == {
        "source": {"registryUri": "registry.example", "sourceImage": f"team/app@{root}"},
        "targetTags": ["app:1"],
        "mode": "Force",
    }
    (target,) = report.targets
    assert (target.status, target.confirmed, target.tag) == (Status.COPIED, True, "1")
    assert target.pinned == f"{HOST}/app@{root}"
    assert report.source == f"registry.example/team/app@{root}"
    assert cloud.manager.tokens == {"Bearer for-https://management.azure.com/.default"}
    assert not any("/blobs/" in heard.path for heard in cloud.world.heard("registry.example"))
    assert cloud.progress[0].source == SOURCE
    assert cloud.progress[0].target == HOST


def test_several_targets_are_one_import_and_those_without_a_tag_are_untagged(cloud: Cloud) -> None:
    cloud.source()
    root = cloud.world.image.root
    targets = [f"{HOST}/a:x", f"{HOST}/a:y", f"{HOST}/b", f"{HOST}/c:z"]
    report = cloud.run(f"registry.example/team/app@{root}", targets)
    assert cloud.asked["targetTags"] == ["a:x", "a:y", "c:z"]
    assert cloud.asked["untaggedTargetRepositories"] == ["b"]
    assert [target.status for target in report.targets] == [Status.COPIED] * 4
    assert all(target.confirmed for target in report.targets)


def test_what_is_there_already_is_not_imported_again(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.target.hold("app", cloud.world.image, "1")
    report = cloud.run(SOURCE, f"{HOST}/app", no_clobber=True)
    assert report.targets[0].status is Status.PRESENT
    assert not cloud.manager.paths


def test_without_clobbering_azure_is_told_so_and_a_tag_that_is_seen_is_not_asked_for(
    cloud: Cloud,
) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.target.hold("taken", single(seed="other"), "1")
    with pytest.raises(TagExists):
        cloud.run(SOURCE, f"{HOST}/taken", no_clobber=True)
    assert not cloud.manager.asked
    cloud.run(SOURCE, f"{HOST}/free", no_clobber=True)
    assert cloud.asked["mode"] == "NoForce"


def test_a_dry_run_finds_the_registry_and_asks_it_for_nothing(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    report = cloud.run(SOURCE, f"{HOST}/app", dry_run=True)
    assert report.targets[0].status is Status.PLANNED
    assert not cloud.manager.asked
    assert len(cloud.manager.paths) == 1


def test_limits_are_checked_before_azure_is_asked(cloud: Cloud) -> None:
    cloud.world.image = many_platforms()
    cloud.source().hold("team/app", cloud.world.image, "1")
    with pytest.raises(LimitExceeded):
        cloud.run(SOURCE, f"{HOST}/app", limits=Limits(max_manifests=2))
    assert not cloud.manager.paths


def test_a_source_that_only_azure_can_read_is_imported_by_tag_with_a_warning(cloud: Cloud) -> None:
    report = cloud.run("registry.invalid/team/app:1", f"{HOST}/app")
    assert cloud.asked["source"]["sourceImage"] == "team/app:1"
    (warning,) = cloud.warnings
    assert "its limits are not checked, and its tag may move" in warning
    # What was imported is read at the target.
    assert report.root is not None
    assert report.root.digest == cloud.world.image.root


def test_where_neither_end_can_be_read_the_import_still_succeeds(cloud: Cloud) -> None:
    cloud.target.door = BasicDoor({"somebody": "else"})
    report = cloud.run("registry.invalid/team/app:1", f"{HOST}/app")
    (target,) = report.targets
    assert (report.root, report.exit_code) == (None, 0)
    assert (target.status, target.confirmed) == (Status.COPIED, False)
    assert target.pinned == f"{HOST}/app:1"


def test_a_tag_that_shows_another_image_afterwards_is_a_mismatch(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.manager.imported = lambda _: cloud.target.hold("app", single(seed="other"), "1")
    with pytest.raises(ContentMismatch, match="is sha256:"):
        cloud.run(SOURCE, f"{HOST}/app")


def test_a_target_that_names_another_digest_is_refused_before_azure_is_asked(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    other = Digest("sha256:" + "0" * 64)
    with pytest.raises(ContentMismatch):
        cloud.run(SOURCE, f"{HOST}/app:1@{other}")
    assert not cloud.manager.paths


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (Credential("ci", "s3cret-word"), {"username": "ci", "password": "s3cret-word"}),
        (Credential("", "entra-token"), {"password": "entra-token"}),
        (Credential(entra_token="entra-token"), {"password": "entra-token"}),
        (
            Credential(identity_token="refresh-token"),
            {"username": ANYBODY, "password": "refresh-token"},
        ),
    ],
)
def test_a_given_credential_is_sent_and_a_password_alone_is_a_token(
    cloud: Cloud, given: Credential, sent: dict[str, str]
) -> None:
    cloud.source("far.azurecr.io").hold("team/app", cloud.world.image, "1")
    cloud.run("far.azurecr.io/team/app:1", f"{HOST}/app", source_credential=given)
    assert cloud.asked["source"]["credentials"] == sent
    assert cloud.asked["source"]["registryUri"] == "far.azurecr.io"


def test_credentials_that_are_found_are_sent_to_azure_only_if_that_is_wanted(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    monkeypatch.setenv("REGIMPORT_SOURCE_USERNAME", "ci")
    monkeypatch.setenv("REGIMPORT_SOURCE_PASSWORD", "s3cret-word")
    cloud.run(SOURCE, f"{HOST}/app")
    assert "credentials" not in cloud.asked["source"]
    cloud.manager.asked.clear()
    azure = AzureImport(send_credentials=True)
    cloud.run(SOURCE, f"{HOST}/other", azure=azure)
    assert cloud.asked["source"]["credentials"] == {"username": "ci", "password": "s3cret-word"}


def test_a_credential_that_an_import_cannot_use_is_refused(cloud: Cloud) -> None:
    with pytest.raises(InvalidOptions, match="an identity token, which an import cannot use"):
        cloud.run(SOURCE, f"{HOST}/app", source_credential=Credential(identity_token="t"))


def test_a_source_in_the_subscription_is_read_with_the_login(cloud: Cloud) -> None:
    cloud.manager.registries["other.azurecr.io"] = resource_id("other")
    cloud.source("other.azurecr.io").hold("team/app", cloud.world.image, "1")
    cloud.run("other.azurecr.io/team/app:1", f"{HOST}/app")
    assert cloud.asked["source"]["resourceId"] == resource_id("other")
    assert "registryUri" not in cloud.asked["source"]


def test_a_source_in_another_subscription_is_named_by_its_resource_id(cloud: Cloud) -> None:
    cloud.source("other.azurecr.io").hold("team/app", cloud.world.image, "1")
    far = resource_id("other", subscription="99999999-2222-3333-4444-555555555555")
    cloud.run("other.azurecr.io/team/app:1", f"{HOST}/app", azure=AzureImport(source_registry=far))
    assert cloud.asked["source"]["resourceId"] == far


def test_an_image_moves_within_one_registry_by_its_resource_id(cloud: Cloud) -> None:
    cloud.target.hold("team/app", cloud.world.image, "1")
    cloud.run(f"{HOST}/team/app:1", f"{HOST}/released:1")
    assert cloud.asked["source"]["resourceId"] == resource_id("myregistry")


def test_the_target_may_be_named_by_its_resource_id(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    cloud.source().hold("team/app", cloud.world.image, "1")
    azure = AzureImport(target_registry=resource_id("myregistry"))
    cloud.run(SOURCE, f"{HOST}/app", azure=azure)
    assert cloud.manager.paths[:2] == [
        f"GET {resource_id('myregistry')}",
        f"POST {resource_id('myregistry')}/importImage",
    ]
    cloud.manager.registries["other.azurecr.io"] = resource_id("other")
    with pytest.raises(InvalidOptions, match="but `target_registry` is other"):
        cloud.run(SOURCE, f"{HOST}/b", azure=AzureImport(target_registry=resource_id("other")))


@pytest.mark.parametrize(
    ("ending", "endpoint", "scope"),
    [
        ("cn", "management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
        (
            "us",
            "management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net/.default",
        ),
    ],
)
def test_another_cloud_has_its_own_resource_manager(
    cloud: Cloud, ending: str, endpoint: str, scope: str
) -> None:
    host = f"myregistry.azurecr.{ending}"
    cloud.manager.registries[host] = resource_id("myregistry")
    cloud.target = cloud.world.registry(host)
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.world.places = {
        name: place
        for name, place in cloud.world.places.items()
        if not name.startswith("management.") or name == endpoint
    }
    assert cloud.run(SOURCE, f"{host}/app").exit_code == 0
    assert cloud.manager.tokens == {f"Bearer for-{scope}"}


def test_a_registry_that_the_subscription_lacks_is_not_found(cloud: Cloud) -> None:
    cloud.manager.registries.clear()
    cloud.source().hold("team/app", cloud.world.image, "1")
    with pytest.raises(NotFound, match=f"{SUBSCRIPTION} has no registry {HOST}") as caught:
        cloud.run(SOURCE, f"{HOST}/app")
    assert "`subscription`" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"platforms": ("linux/amd64",)}, "imports every platform"),
        ({"referrers": ("all",)}, "leaves behind what belongs"),
        ({"foreign_layers": "copy"}, "Azure reads the source alone"),
        ({"limit_rate": 1000}, "do not pass this machine"),
        ({"verify": True}, "regimport verify"),
        ({"create_repository": True}, "it is for ECR"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_the_reason(
    cloud: Cloud, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        cloud.run(SOURCE, f"{HOST}/app", **options)


@pytest.mark.parametrize(
    ("source", "targets", "said"),
    [
        (SOURCE, ["registry.example/app"], "registry.example/app is in no Azure registry"),
        (SOURCE, ["oci:folder"], "oci:folder is in no Azure registry"),
        (SOURCE, [f"{HOST}/a", "other.azurecr.io/a"], "must be in one registry"),
        ("oci:folder:1", [f"{HOST}/a"], "from this machine's disk"),
        (SOURCE, [], "needs a target"),
    ],
)
def test_ends_that_cannot_be_are_refused(
    cloud: Cloud, source: str, targets: list[str], said: str
) -> None:
    with pytest.raises(InvalidOptions, match=said):
        cloud.run(source, *targets)


def test_an_unknown_subscription_is_a_usage_error(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    with pytest.raises(InvalidOptions, match="subscription") as caught:
        cloud.run(SOURCE, f"{HOST}/app")
    assert "$AZURE_SUBSCRIPTION_ID" in (caught.value.hint or "")


def test_an_import_that_hangs_ends_with_the_deadline_and_says_that_it_goes_on(
    cloud: Cloud,
) -> None:
    """Azure/acr#549: imports that stay "Running" for hours."""
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.manager.endless = True
    with pytest.raises(DeadlineExceeded) as caught:
        cloud.run(SOURCE, f"{HOST}/app", deadline=1.5)
    assert "goes on with the import" in (caught.value.hint or "")
    assert "goes on with the import" in cloud.warnings[-1]
    cloud.manager.endless = False
    cloud.manager.looks = 0


def test_whoever_stops_an_import_is_told_that_it_goes_on(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.manager.endless = True
    stop = threading.Event()

    def stop_once_it_has_begun() -> None:
        cloud.manager.begun.wait(20)
        stop.set()

    threading.Thread(target=stop_once_it_has_begun).start()
    with pytest.raises(Interrupted):
        cloud.run(SOURCE, f"{HOST}/app", stop=stop)
    assert "goes on with the import" in cloud.warnings[-1]
    cloud.manager.endless = False
    cloud.manager.looks = 0


def test_the_failure_of_an_import_is_that_of_all_its_targets(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.manager.failing = failure("Error copying blobs")
    report = cloud.run(SOURCE, f"{HOST}/a", f"{HOST}/b")
    assert [target.status for target in report.targets] == [Status.FAILED] * 2
    assert len(set(report.failures)) == 1
    assert report.exit_code == 1


def test_a_resource_manager_that_is_not_there_is_unreachable(cloud: Cloud) -> None:
    cloud.source().hold("team/app", cloud.world.image, "1")
    cloud.world.places["management.azure.com"] = ("127.0.0.1", 1)
    with pytest.raises(Unreachable, match="Resource Manager could not be reached"):
        cloud.run(SOURCE, f"{HOST}/app")


def test_a_login_without_the_role_is_told_which_it_needs(cloud: Cloud) -> None:
    """Azure/acr#237: the rights to push are not enough."""
    cloud.source().hold("team/app", cloud.world.image, "1")
    said = failure(
        "The client 'x' does not have authorization to perform action "
        "'Microsoft.ContainerRegistry/registries/importImage/action'",
        "AuthorizationFailed",
    )
    cloud.manager.refusing = as_json({"error": said}, 403)
    with pytest.raises(AccessDenied) as caught:
        cloud.run(SOURCE, f"{HOST}/app")
    assert "Container Registry Data Importer and Data Reader" in (caught.value.hint or "")
    assert caught.value.codes == ("AuthorizationFailed",)
    assert caught.value.registry == HOST
