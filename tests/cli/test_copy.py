"""`regimport copy`, the real command between two real registries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.client import Client
from support.images import FORMS, OCI_CONFIG, Image, digest_of, many_platforms, single
from support.program import Program
from support.registries import USER, Asked, DockerRegistry
from support.tokenserver import TokenServer

pytestmark = pytest.mark.docker_registry

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def writes(registry: DockerRegistry) -> list[Asked]:
    return [asked for asked in registry.requests() if asked.method in WRITES]


def put(registry: DockerRegistry, repository: str, image: Image, tag: str = "1") -> str:
    Client(registry.address).push(repository, image, tag)
    registry.clear()
    return f"{registry.address}/{repository}"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_image_arrives_byte_for_byte(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str, form: str
) -> None:
    image = FORMS[form]()
    name = put(source, repository, image)
    ended = program("copy", f"{name}:1", f"{target.address}/{repository}")
    assert (ended.code, ended.out) == (0, f"{target.address}/{repository}@{image.root}\n"), ended
    assert Client(target.address).read_all(repository, "1") == image.content()


def test_a_source_may_be_named_by_digest_and_by_tag_and_digest(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    client = Client(target.address)
    assert program("copy", f"{name}@{image.root}", f"{target.address}/{repository}").code == 0
    assert client.head(repository, "latest") is None
    assert client.read_all(repository, image.root) == image.content()
    source.clear()
    target.clear()
    assert program("copy", f"{name}@{image.root}", f"{target.address}/{repository}").code == 0
    asked = [[one.method for one in side.requests()] for side in (source, target)]
    assert asked == [["HEAD"], ["HEAD"]]
    pinned = f"{name}:renamed@{image.root}"
    assert program("copy", pinned, f"{target.address}/{repository}").code == 0
    assert client.head(repository, "renamed") == image.root


def test_a_second_run_asks_each_side_once_and_writes_nothing(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    name = put(source, repository, many_platforms())
    arguments = ("copy", f"{name}:1", f"{target.address}/{repository}")
    assert program(*arguments).code == 0
    source.clear()
    target.clear()
    assert program(*arguments).code == 0
    asked = [[(one.method, one.status) for one in side.requests()] for side in (source, target)]
    assert asked == [[("HEAD", 200)], [("HEAD", 200)]]


def test_the_tag_is_put_last_and_manifests_after_all_they_name(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = FORMS["nested index"]()
    name = put(source, repository, image)
    assert program("copy", f"{name}:1", f"{target.address}/{repository}", "-j", "1").code == 0
    stored = [one.path.rpartition("/")[2] for one in writes(target) if one.method == "PUT"]
    manifests = [name for name in stored if name in image.manifests or name == "1"]
    assert stored[-1] == "1"
    assert manifests.count("1") == 1
    inner = list(image.manifests)[3]
    leaves = list(image.manifests)[:2]
    assert all(manifests.index(leaf) < manifests.index(inner) for leaf in leaves)


def test_each_blob_is_read_and_uploaded_once(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms(platforms=6)
    name = put(source, repository, image)
    assert program("copy", f"{name}:1", f"{target.address}/{repository}").code == 0
    read = [one.path for one in source.requests() if one.method == "GET" and "/blobs/" in one.path]
    assert sorted(path.rpartition("/")[2] for path in read) == sorted(image.blobs)
    started = [one for one in writes(target) if one.method == "POST"]
    assert len(started) == len(image.blobs)


def test_several_targets_get_the_image_from_one_reading(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    targets = [f"{target.address}/{repository}/{folder}" for folder in "abc"]
    ended = program("copy", f"{name}:1", *targets, f"{targets[0]}:second")
    assert ended.code == 0, ended
    assert ended.out.splitlines() == [f"{one}@{image.root}" for one in (*targets, targets[0])]
    for folder, tag in (("a", "1"), ("b", "1"), ("c", "1"), ("a", "second")):
        found = Client(target.address).read_all(f"{repository}/{folder}", tag)
        assert found == image.content()
    read = [one for one in source.requests() if one.method == "GET" and "/blobs/" in one.path]
    assert len(read) == len(image.blobs)


def test_one_targets_failure_does_not_stop_the_others(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    other = many_platforms("other")
    Client(target.address).push(f"{repository}/taken", other, "1")
    good, taken = f"{target.address}/{repository}/good", f"{target.address}/{repository}/taken"
    ended = program("copy", "--no-clobber", f"{name}:1", taken, good)
    assert ended.code == 9
    assert ended.out == f"{good}@{image.root}\n"
    assert Client(target.address).read_all(f"{repository}/good", "1") == image.content()
    assert Client(target.address).head(f"{repository}/taken", "1") == other.root


def test_targets_that_fail_in_different_ways_end_with_code_1(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    name = put(source, repository, many_platforms())
    Client(target.address).push(f"{repository}/taken", single("other"), "1")
    taken = f"{target.address}/{repository}/taken"
    pinned = f"{target.address}/{repository}/p:1@sha256:{'0' * 64}"
    assert program("copy", "-n", f"{name}:1", taken, pinned).code == 1


def test_of_several_targets_those_in_the_sources_registry_take_blobs_over_and_no_others(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    target.clear()
    ends = [f"{target.address}/{repository}", f"{source.address}/{repository}/other"]
    assert program("copy", f"{name}:1", *ends).code == 0
    near = [one for one in source.requests() if one.method in WRITES and "/uploads/" in one.path]
    assert {(one.method, one.status) for one in near} == {("POST", 201)}
    far = [one.path for one in target.requests() if one.method == "POST"]
    assert all(f"from={repository.replace('/', '%2F')}" in path for path in far)
    assert not any("other" in path for path in far)
    for registry, place in ((target, repository), (source, f"{repository}/other")):
        assert Client(registry.address).read_all(place, "1") == image.content()


def test_in_one_registry_blobs_are_mounted_and_no_bytes_move(
    program: Program, source: DockerRegistry, repository: str
) -> None:
    image = many_platforms(size=50_000)
    name = put(source, repository, image)
    ended = program("copy", f"{name}:1", f"{source.address}/{repository}/moved:2")
    assert ended.code == 0, ended
    asked = source.requests()
    assert not [one for one in asked if one.method == "GET" and "/blobs/" in one.path]
    assert not [one for one in asked if one.method in {"PUT", "PATCH"} and "/blobs/" in one.path]
    assert Client(source.address).read_all(f"{repository}/moved", "2") == image.content()


def test_another_tag_of_the_same_repository_takes_one_write(
    program: Program, source: DockerRegistry, repository: str
) -> None:
    name = put(source, repository, many_platforms())
    assert program("copy", f"{name}:1", f"{name}:2").code == 0
    assert [one.method for one in writes(source)] == ["PUT"]


def test_an_existing_tag_is_moved_unless_no_clobber_is_given(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image, before = many_platforms(), single("before")
    name = put(source, repository, image)
    client = Client(target.address)
    client.push(repository, before, "1")
    target.clear()
    goal = f"{target.address}/{repository}"
    refused = program("copy", "-n", f"{name}:1", goal)
    assert refused.code == 9
    assert before.root in refused.err
    assert writes(target) == []
    assert program("copy", f"{name}:1", goal).code == 0
    assert client.head(repository, "1") == image.root
    assert program("copy", "-n", f"{name}:1", goal).code == 0


def test_a_target_pinned_to_another_digest_is_refused_before_anything_is_written(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    wrong = f"{target.address}/{repository}:1@sha256:{'0' * 64}"
    assert program("copy", f"{name}:1", wrong).code == 7
    assert writes(target) == []
    right = f"{target.address}/{repository}:1@{image.root}"
    assert program("copy", f"{name}:1", right).code == 0
    assert Client(target.address).head(repository, "1") == image.root


def test_a_target_that_ends_in_a_slash_keeps_the_sources_path(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = single()
    name = put(source, repository, image)
    ended = program("copy", f"docker://{name}:1", f"{target.address}/mirror/")
    assert ended.out == f"{target.address}/mirror/{repository}@{image.root}\n"


def test_an_image_with_51_manifests_is_refused_naming_all_of_them(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms(platforms=51, size=10)
    name = put(source, repository, image)
    goal = f"{target.address}/{repository}"
    ended = program("copy", f"{name}:1", goal)
    assert ended.code == 3
    assert ended.out == ""
    children = list(image.manifests)[:-1]
    assert all(digest in ended.err for digest in children)
    assert "linux/arch50" in ended.err
    assert writes(target) == []
    assert program("copy", f"{name}:1", goal, "--max-manifests", "51").code == 0


def test_an_image_with_50_manifests_is_copied(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    name = put(source, repository, many_platforms(platforms=50, size=10))
    assert program("copy", f"{name}:1", f"{target.address}/{repository}").code == 0


def test_a_layer_of_a_byte_over_2_gib_is_refused_and_named(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = Image()
    config = image.blob(b"{}", OCI_CONFIG)
    layer = image.blob(b"small, but said to be large")
    layer["size"] = 2 * 1024**3 + 1
    image.manifest(config, [layer])
    name = put(source, repository, image)
    goal = f"{target.address}/{repository}"
    ended = program("copy", f"{name}:1", goal)
    assert ended.code == 3
    assert str(layer["digest"]) in ended.err
    assert "2147483649" in ended.err
    assert writes(target) == []
    layer["size"] = 2 * 1024**3
    image.manifest(config, [layer])
    Client(source.address).push(repository, image, "2")
    # It passes the limit, and then turns out not to have that size.
    assert program("copy", f"{name}:2", goal).code == 7


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    goal = f"{target.address}/{repository}"
    ended = program("copy", "--dry-run", f"{name}:1", goal)
    assert ended.code == 0
    assert all(digest in ended.out for digest in image.content())
    assert writes(target) == []
    document = json.loads(program("copy", "--dry-run", "-o", "json", f"{name}:1", goal).out)
    steps = document["targets"][0]["steps"]
    assert {step["digest"] for step in steps} == set(image.content())
    assert {step["action"] for step in steps} == {"copy"}


def test_a_blob_whose_bytes_are_not_its_digest_never_gets_there(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = single(size=300_000)
    name = put(source, repository, image)
    layer = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    encoded = layer.partition(":")[2]
    stored = source.root / f"docker/registry/v2/blobs/sha256/{encoded[:2]}/{encoded}/data"
    content = bytearray(stored.read_bytes())
    content[150_000] ^= 1
    stored.write_bytes(content)
    ended = program("copy", f"{name}:1", f"{target.address}/{repository}")
    assert ended.code == 7, ended
    assert "at the source" in ended.err
    client = Client(target.address)
    assert not client.has_blob(repository, layer)
    assert client.head(repository, "1") is None


def test_what_the_target_has_already_is_not_moved_again(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    client = Client(target.address)
    kept = list(image.blobs)[:3]
    for digest in kept:
        client.push_blob(repository, digest, image.blobs[digest])
    assert program("copy", f"{name}:1", f"{target.address}/{repository}").code == 0
    read = {one.path.rpartition("/")[2] for one in source.requests() if "/blobs/" in one.path}
    assert read == set(image.blobs) - set(kept)


def test_a_manifest_the_target_has_already_is_not_fetched(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    goal = f"{target.address}/{repository}"
    assert program("copy", f"{name}:1", goal).code == 0
    bigger = many_platforms(platforms=4)
    name = put(source, repository, bigger, "2")
    assert program("copy", f"{name}:2", goal).code == 0
    fetched = {
        one.path.rpartition("/")[2]
        for one in source.requests()
        if one.method == "GET" and "/manifests/" in one.path
    }
    assert fetched == set(bigger.manifests) - set(image.manifests)


def test_a_missing_source_ends_with_code_5_and_says_where(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    ended = program("copy", f"{source.address}/{repository}:no", f"{target.address}/x")
    assert ended.code == 5
    assert f"at the source: {source.address}/{repository}" in ended.err
    assert "hint:" in ended.err
    assert writes(target) == []


def test_credentials_and_tls_let_a_copy_in_from_options_environment_and_config(
    program: Program,
    source: DockerRegistry,
    tls_process: DockerRegistry,
    ca_file: Path,
    repository: str,
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    trusted = {"SSL_CERT_FILE": str(ca_file)}
    goal = f"{tls_process.address}/{repository}"
    options = ("--target-username", USER[0], "--target-password-stdin")
    ended = program("copy", f"{name}:1", f"{goal}:o", *options, stdin=f"{USER[1]}\n", **trusted)
    assert ended.code == 0, ended
    environment = {"REGIMPORT_TARGET_USERNAME": USER[0], "REGIMPORT_TARGET_PASSWORD": USER[1]}
    assert program("copy", f"{name}:1", f"{goal}:e", **trusted, **environment).code == 0
    folder = program.folder / "docker"
    folder.mkdir()
    entry = {"username": USER[0], "password": USER[1]}
    (folder / "config.json").write_text(json.dumps({"auths": {tls_process.address: entry}}))
    (folder / "config.json").chmod(0o600)
    configured = {"DOCKER_CONFIG": str(folder)}
    assert program("copy", f"{name}:1", f"{goal}:c", **trusted, **configured).code == 0
    client = Client(tls_process.address, ca=ca_file, user=USER)
    for tag in "oec":
        assert client.read_all(repository, tag) == image.content()


@pytest.mark.parametrize("password", ["", "wrong"])
def test_no_or_wrong_credentials_end_with_code_4_and_blame_the_target(
    program: Program,
    source: DockerRegistry,
    tls_process: DockerRegistry,
    ca_file: Path,
    repository: str,
    password: str,
) -> None:
    name = put(source, repository, single())
    environment = {"SSL_CERT_FILE": str(ca_file)}
    if password:
        environment |= {
            "REGIMPORT_TARGET_USERNAME": USER[0],
            "REGIMPORT_TARGET_PASSWORD": password,
        }
    tls_process.clear()
    ended = program("copy", f"{name}:1", f"{tls_process.address}/{repository}", **environment)
    assert ended.code == 4, ended
    assert f"at the target: {tls_process.address}/{repository}" in ended.err
    assert "wrong" not in ended.err.replace("wrong_", "")
    assert {asked.status for asked in tls_process.requests()} <= {401}


def test_an_untrusted_certificate_is_no_reason_to_go_on(
    program: Program, tls_process: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    ended = program("copy", f"{tls_process.address}/{repository}:1", f"{target.address}/x")
    assert ended.code == 6
    assert "certificate" in ended.err
    assert "--target-ca-file" in ended.err


def test_tokens_are_asked_for_with_the_scopes_that_are_needed(
    program: Program,
    source: DockerRegistry,
    tokens: tuple[DockerRegistry, TokenServer],
    repository: str,
) -> None:
    registry, server = tokens
    image = many_platforms()
    name = put(source, repository, image)
    environment = {"REGIMPORT_TARGET_USERNAME": USER[0], "REGIMPORT_TARGET_PASSWORD": USER[1]}
    ended = program("copy", f"{name}:1", f"{registry.address}/{repository}", **environment)
    assert ended.code == 0, ended
    assert [(one.method, one.scopes, one.account) for one in server.requests] == [
        ("GET", (f"repository:{repository}:pull,push",), USER[0])
    ]
    assert Client(registry.address, user=USER).read_all(repository, "1") == image.content()


def test_a_mount_asks_for_the_right_to_pull_from_the_other_repository(
    program: Program, tokens: tuple[DockerRegistry, TokenServer], repository: str
) -> None:
    registry, server = tokens
    image = many_platforms()
    Client(registry.address, user=USER).push(repository, image, "1")
    registry.clear()
    environment = {
        f"REGIMPORT_{side}_{what}": value
        for side in ("SOURCE", "TARGET")
        for what, value in zip(("USERNAME", "PASSWORD"), USER, strict=True)
    }
    name = f"{registry.address}/{repository}"
    ended = program("copy", f"{name}:1", f"{name}/moved", **environment)
    assert ended.code == 0, ended
    assert (
        f"repository:{repository}/moved:pull,push",
        f"repository:{repository}:pull",
    ) in [one.scopes for one in server.requests]
    blobs = [one for one in registry.requests() if "/blobs/" in one.path]
    assert not [one for one in blobs if one.method in {"GET", "PUT", "PATCH"}]


def test_a_mount_that_the_token_service_refuses_becomes_an_upload(
    program: Program, tokens: tuple[DockerRegistry, TokenServer], repository: str
) -> None:
    registry, server = tokens
    image = many_platforms()
    client = Client(registry.address, user=USER)
    client.push(repository, image, "1")
    server.behaviour.most_scopes = 1
    environment = {
        f"REGIMPORT_{side}_{what}": value
        for side in ("SOURCE", "TARGET")
        for what, value in zip(("USERNAME", "PASSWORD"), USER, strict=True)
    }
    name = f"{registry.address}/{repository}"
    ended = program("copy", f"{name}:1", f"{name}/moved", **environment)
    assert ended.code == 0, ended
    assert client.ask("GET", f"/v2/{repository}/moved/tags/list")[0] in {200, 401}
    fresh = Client(registry.address, user=USER)
    assert fresh.read_all(f"{repository}/moved", "1") == image.content()


@pytest.mark.parametrize("way", ["identity token", "password by POST", "anonymous"])
def test_every_way_to_a_token_is_gone(
    program: Program,
    tokens: tuple[DockerRegistry, TokenServer],
    target: DockerRegistry,
    repository: str,
    way: str,
) -> None:
    registry, server = tokens
    image = single()
    Client(registry.address, user=USER).push(repository, image, "1")
    server.requests.clear()
    environment = {"REGIMPORT_SOURCE_USERNAME": USER[0], "REGIMPORT_SOURCE_PASSWORD": USER[1]}
    if way == "identity token":
        server.behaviour.refresh_tokens["refresh-me"] = USER[0]
        folder = program.folder / "docker"
        folder.mkdir()
        auths = {registry.address: {"identitytoken": "refresh-me"}}
        (folder / "config.json").write_text(json.dumps({"auths": auths}))
        environment = {"DOCKER_CONFIG": str(folder)}
    elif way == "password by POST":
        server.behaviour.methods = ("POST",)
    else:
        server.behaviour.anonymous_pull = True
        environment = {}
    ended = program(
        "copy",
        f"{registry.address}/{repository}:1",
        f"{target.address}/{repository}",
        **environment,
    )
    assert ended.code == 0, ended
    assert Client(target.address).read_all(repository, "1") == image.content()
    granted = [one for one in server.requests if one.granted]
    assert {one.method for one in granted} == {"GET" if way == "anonymous" else "POST"}


def test_the_json_report_says_what_was_done(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms()
    name = put(source, repository, image)
    ended = program("copy", "-o", "json", f"{name}:1", f"{target.address}/{repository}")
    document = json.loads(ended.out)
    assert document["schema_version"] == "1"
    assert document["digest"] == image.root
    assert document["bytes_read"] == sum(map(len, image.blobs.values()))
    (entry,) = document["targets"]
    assert entry["status"] == "copied"
    assert entry["tally"]["blobs_copied"] == len(image.blobs)
    assert entry["tally"]["manifests_copied"] == len(image.manifests)
    failed = json.loads(program("copy", "-o", "json", f"{name}:no", "localhost:1/x").out)
    assert failed["exit_code"] == 5
    assert failed["error"]["kind"] == "NotFound"


def test_a_template_is_filled_in_for_each_target(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = single()
    name = put(source, repository, image)
    template = "{{.Digest}} {{ .Tag }} {{json .Status}}"
    ended = program("copy", "--format", template, f"{name}:1", f"{target.address}/{repository}")
    assert ended.out == f'{image.root} 1 "copied"\n'
    assert program("copy", "--format", "{{.Nothing}}", "a", "b").code == 2


def test_a_pipe_gets_plain_lines_and_quiet_means_the_result_alone(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    name = put(source, repository, many_platforms())
    ended = program("copy", f"{name}:1", f"{target.address}/{repository}")
    assert "\x1b" not in ended.err
    assert len(ended.err.splitlines()) == 2
    quiet = program("copy", "-q", f"{name}:1", f"{target.address}/{repository}:2")
    assert quiet.err == ""
    assert digest_of(b"") not in quiet.out
    lines = program(
        "copy", "--progress", "json", f"{name}:1", f"{target.address}/{repository}/j"
    ).err.splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert {"Resolved", "Planned", "BlobStarted", "BytesMoved", "ManifestPut"} <= set(events)


def test_the_report_says_how_much_went_on_at_once_and_for_which_round_trip(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    name = put(source, repository, many_platforms())
    copy = ("copy", f"{name}:1", f"{target.address}/{repository}", "--output", "json")
    chosen = json.loads(program(*copy).out)
    assert 8 <= chosen["jobs"] <= 32
    assert 0 < chosen["round_trip_seconds"] < 10
    assert json.loads(program(*copy, "--jobs", "3").out)["jobs"] == 3
