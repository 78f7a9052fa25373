"""A cloud is asked last, for its own registries alone, and not more often than needed."""

from __future__ import annotations

import sys
import time
from types import ModuleType

import pytest

from regimport.clouds.login import NoLogin, TemporaryCredential
from regimport.credentials.clouds import Clouds
from regimport.credentials.keychain import Keychain
from regimport.credentials.places import Looked, Outcome
from regimport.errors import Side
from regimport.installation import install_command
from regimport.models.credential import Credential

_HOSTS = {
    "azure": "my.azurecr.io",
    "aws": "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    "google": "europe-west3-docker.pkg.dev",
}


class Cloud(ModuleType):
    """A cloud that counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__("cloud")
        self.asked: list[str] = []
        self.seconds = 3600.0
        self.error: Exception | None = None

    def get_credential(self, registry: str) -> TemporaryCredential:
        self.asked.append(registry)
        if self.error is not None:
            raise self.error
        return TemporaryCredential(Credential("cloud", str(len(self.asked))), self.seconds)


@pytest.fixture(params=sorted(_HOSTS))
def extra(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def cloud(extra: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    found = Cloud()
    monkeypatch.setitem(sys.modules, f"regimport.clouds.{extra}", found)
    return found


def _silent(message: str) -> None:
    raise AssertionError(message)


def _look(registry: str) -> Looked:
    (looked,) = Clouds().look(registry, "app", fresh=False)
    return looked


def test_a_cloud_is_asked_for_its_own_registries(cloud: Cloud, extra: str) -> None:
    looked = _look(_HOSTS[extra])
    assert looked.outcome == Outcome.USED
    assert looked.credential == Credential("cloud", "1")


def test_no_cloud_is_asked_for_another_registry(cloud: Cloud, extra: str) -> None:
    for host in ("r.example", f"{_HOSTS[extra]}.attacker.example", f"{_HOSTS[extra]}:5000"):
        assert _look(host).outcome == Outcome.NOTHING
    assert cloud.asked == []


def test_a_lease_serves_every_repository_while_it_lasts(cloud: Cloud, extra: str) -> None:
    keychain = Keychain({}, _silent, {})
    for repository in ("a", "b", "a"):
        found = keychain.find(Side.TARGET, _HOSTS[extra], repository)
        assert found == Credential("cloud", "1")
    assert len(cloud.asked) == 1


def test_a_lease_is_renewed_before_it_runs_out(
    cloud: Cloud, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keychain = Keychain({}, _silent, {})
    assert keychain.find(Side.TARGET, _HOSTS[extra], "a") == Credential("cloud", "1")
    later = time.monotonic() + cloud.seconds * 0.9
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert keychain.find(Side.TARGET, _HOSTS[extra], "a") == Credential("cloud", "2")
    assert keychain.find(Side.TARGET, _HOSTS[extra], "b") == Credential("cloud", "2")


def test_a_lease_that_is_refused_is_renewed_at_once(cloud: Cloud, extra: str) -> None:
    keychain = Keychain({}, _silent, {})
    first = keychain.find(Side.TARGET, _HOSTS[extra], "a")
    assert first is not None
    assert keychain.renew(Side.TARGET, _HOSTS[extra], "a", first) == Credential("cloud", "2")


def test_a_cloud_that_is_refused_again_is_done_without(cloud: Cloud, extra: str) -> None:
    """Nobody set it up for this registry, which may let anybody in."""
    keychain = Keychain({}, _silent, {})
    refused = keychain.find(Side.SOURCE, _HOSTS[extra], "a")
    for _ in range(2):
        assert refused is not None
        refused = keychain.renew(Side.SOURCE, _HOSTS[extra], "a", refused)
    assert refused is None
    assert keychain.find(Side.SOURCE, _HOSTS[extra], "a") is None
    assert len(cloud.asked) == 2
    assert "refused that" in str(keychain.remark(Side.SOURCE, _HOSTS[extra], "a"))


def test_a_lease_that_looks_over_is_good_for_a_minute(cloud: Cloud, extra: str) -> None:
    cloud.seconds = -1e6
    keychain = Keychain({}, _silent, {})
    for _ in range(3):
        keychain.find(Side.TARGET, _HOSTS[extra], "a")
    assert len(cloud.asked) == 1


def test_nobody_being_logged_in_is_told_where_it_matters(cloud: Cloud, extra: str) -> None:
    """Public images at a cloud are nobody's business: no warning, and a remark if refused."""
    cloud.error = NoLogin("nobody is")
    keychain = Keychain({}, _silent, {})
    assert keychain.find(Side.SOURCE, _HOSTS[extra], "a") is None
    remark = keychain.remark(Side.SOURCE, _HOSTS[extra], "a")
    assert remark is not None
    assert remark.endswith(f"cannot be used for {_HOSTS[extra]}: nobody is")


def test_an_extra_that_is_not_installed_is_named(
    extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"regimport.clouds.{extra}", None)
    keychain = Keychain({}, _silent, {})
    assert keychain.find(Side.SOURCE, _HOSTS[extra], "a") is None
    told = keychain.explain(Side.SOURCE, _HOSTS[extra], "a").looked[-1]
    assert told.outcome == Outcome.MISSING
    assert install_command(extra) in told.detail
    assert keychain.remark(Side.SOURCE, _HOSTS[extra], "a") == told.detail


def test_what_the_user_set_up_comes_before_the_cloud(cloud: Cloud, extra: str) -> None:
    environ = {"REGIMPORT_TARGET_USERNAME": "u", "REGIMPORT_TARGET_PASSWORD": "p"}
    keychain = Keychain({}, _silent, environ)
    assert keychain.find(Side.TARGET, _HOSTS[extra], "a") == Credential("u", "p")
    assert cloud.asked == []


def test_no_library_of_a_cloud_is_loaded_for_another_registry() -> None:
    before = {name for name in sys.modules if name.startswith(("azure", "boto", "google.auth"))}
    Keychain({}, _silent, {}).find(Side.SOURCE, "docker.io", "library/hello-world")
    after = {name for name in sys.modules if name.startswith(("azure", "boto", "google.auth"))}
    assert after == before
