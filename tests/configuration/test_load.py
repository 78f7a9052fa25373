"""The configuration file: its keys, and the message about one that is not valid."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from regimport.configuration.load import config_path, find, load
from regimport.errors import InvalidConfig
from regimport.network import RegistrySettings, Tls

_ALL = """
[registry."docker.io"]
mirrors = ["https://mirror.example", "http://10.0.0.1:5000/hub"]

[registry."MyRegistry.example:443"]
endpoint = "https://10.0.0.2:8443/base"
plain-http = false
insecure = true
ca-file = "certificates/ca.pem"
cert = "/absolute/client.pem"
key = "~/client.key"
concurrency = 4
request-rate = 2.5

[registry."127.0.0.1:5000"]
plain-http = true
request-rate = 10
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    return path


def test_all_that_may_be_set_is_read(file: Path) -> None:
    file.write_text(_ALL)
    assert load(file).registries == {
        "docker.io": RegistrySettings(
            mirrors=("https://mirror.example", "http://10.0.0.1:5000/hub")
        ),
        "myregistry.example": RegistrySettings(
            tls=Tls(
                ca_file=str(file.parent / "certificates/ca.pem"),
                cert_file="/absolute/client.pem",
                key_file=str(Path.home() / "client.key"),
                insecure=True,
            ),
            endpoint="https://10.0.0.2:8443/base",
            concurrency=4,
            request_rate=2.5,
        ),
        "127.0.0.1:5000": RegistrySettings(plain_http=True, request_rate=10),
    }


def test_an_empty_file_sets_nothing(file: Path) -> None:
    assert load(file).registries == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[registry", "is not valid TOML: Expected ']'"),
        ('x = "', "is not valid TOML"),
        ("mirrors = []", "unknown key `mirrors`"),
        ("registry = 3", "registry: input should be a valid dictionary"),
        (
            '[registry."a.example"]\nmirror = []',
            'unknown key `mirror`; did you mean `mirrors`?\n  in [registry."a.example"]',
        ),
        ("[registry.localhost]\nconcurrency = 0", "registry.localhost.concurrency: input should"),
        ("[registry.localhost]\nconcurrency = '4'", "localhost.concurrency: input should be a"),
        ("[registry.localhost]\nrequest-rate = -1", "localhost.request-rate: input should be gr"),
        ("[registry.localhost]\nplain-http = 'yes'", "localhost.plain-http: input should be a va"),
        ("[registry.localhost]\nca-file = ''", "registry.localhost.ca-file: string should have"),
        ("[registry.localhost]\nmirrors = ['x']", "mirrors.[0]: 'x' is not the URL of a registry"),
        ("[registry.localhost]\nendpoint = 'ftp://x'", "endpoint: 'ftp://x' is not the URL of a"),
        ("[registry.localhost]\nkey = 'k'", "registry.localhost: there is no certificate for"),
        ('[registry."https://a.example"]', 'registry."https://a.example": a registry is named'),
        ('[registry."a.example/team"]', "a registry is named HOST or HOST:PORT"),
        (
            '[registry."a.example"]\n[registry."A.example:443"]',
            'registry."A.example:443": the registry has two tables',
        ),
    ],
)
def test_what_is_not_valid_is_named_with_its_file_and_key(text: str, said: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert str(file) in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_all_that_is_wrong_is_named_at_once(file: Path) -> None:
    file.write_text("a = 1\n[registry.localhost]\nb = 2\nconcurrency = 1000")
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert len(caught.value.message.splitlines()) == 4


@pytest.mark.parametrize("url", ["https://user:hunter2@a.example", "https://a.example?x=hunter2"])
def test_a_secret_in_the_wrong_place_is_not_shown(url: str, file: Path) -> None:
    file.write_text(f"[registry.localhost]\nmirrors = ['{url}']\npassword = 'hunter2'")
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "is not valid TOML: byte 0 is not UTF-8"),
        (b"\x00\x01", "is not valid TOML"),
        (b"#" * (1024 * 1024 + 1), "is larger than 1048576 bytes"),
        (b"{" * 100_000, "is not valid TOML"),
        (b"a = " + b"[" * 100_000, "is not valid TOML"),
    ],
)
def test_garbage_is_an_error_that_says_so(content: bytes, said: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidConfig, match=said):
        load(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, False), (0o664, True)])
def test_a_file_that_others_may_write_is_warned_of(mode: int, warned: bool, file: Path) -> None:
    file.chmod(mode)
    assert bool(load(file).warnings) == warned


def test_the_environment_moves_the_file(file: Path) -> None:
    assert config_path({"REGIMPORT_CONFIG": str(file)}) == (file, True)


def test_the_default_place_is_the_platforms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path(os.environ) == (tmp_path / "regimport" / "config.toml", False)


def test_no_file_in_the_default_place_sets_nothing() -> None:
    found = find(os.environ)
    assert (found.path, found.registries) == (None, {})


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="cannot be read: No such file"):
        find({"REGIMPORT_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("how", ["a loop", "a file", "/dev/null"])
def test_a_file_that_nobody_named_and_that_cannot_be_reached_is_skipped_with_a_warning(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    if how == "a loop":
        folder.symlink_to(folder)
    elif how == "a file":
        folder.write_text("")
    else:
        folder = Path("/dev/null")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    found = find({})
    assert (found.path, dict(found.registries)) == (None, {})
    assert [str(folder) in warning for warning in found.warnings] == [True]
    with pytest.raises(InvalidConfig, match="cannot be read"):
        find({"REGIMPORT_CONFIG": str(folder / "regimport" / "config.toml")})


def test_a_folder_in_the_place_of_the_file_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "regimport" / "config.toml").mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert len(find({}).warnings) == 1


def test_a_byte_order_mark_is_read_over_and_utf_16_is_named(file: Path) -> None:
    text = '[registry."r.example"]\r\nplain-http = true\r\n'
    file.write_bytes(text.encode("utf-8-sig"))
    assert load(file).registries["r.example"].plain_http
    file.write_bytes(text.encode("utf-16"))
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert "UTF-16" in str(caught.value.hint)
