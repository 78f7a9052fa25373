import json
import pickle

import pytest

from regimport.models.credential import Credential
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mapping import FrozenMapping
from regimport.models.on_disk import LayoutReference
from regimport.models.platform import Platform
from regimport.models.ratelimit import RateLimit
from regimport.models.reference import Reference
from regimport.network import Network, Pin, RegistrySettings, Tls
from regimport.options import CopyOptions, Limits, RetryPolicy, Timeouts

_DIGEST = Digest("sha256:" + "a" * 64)
_LAYER = {"mediaType": "application/x", "digest": _DIGEST, "size": 3, "annotations": {"a": "b"}}
_NETWORK = Network(
    registries=FrozenMapping({"r.example": RegistrySettings(mirrors=("https://m.example",))}),
    source=Tls(ca_file="ca.pem"),
    insecure=frozenset({"t.example"}),
    resolve=(Pin.parse("r.example:443:192.0.2.1"),),
)


@pytest.mark.parametrize(
    "value",
    [
        Credential("ci", "secret"),
        Descriptor.from_json({**_LAYER, "platform": {"os": "a", "architecture": "b"}}, "it"),
        _DIGEST,
        Manifest.parse(json.dumps({"schemaVersion": 2, "layers": [_LAYER]}).encode()),
        FrozenMapping({"a": 1}),
        Platform("linux", "arm", "v7"),
        RateLimit(100, 76, 21600, "192.0.2.1"),
        Reference.parse("r.example/a:b"),
        LayoutReference("images", "b", _DIGEST),
        _NETWORK,
        CopyOptions(network=_NETWORK, plain_http=frozenset({"r.example"})),
        CopyOptions(),
        Limits(max_manifests=None),
        RetryPolicy(attempts=2),
        Timeouts(idle=5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_can_be_pickled_and_comes_back_equal(value: object) -> None:
    back = pickle.loads(pickle.dumps(value))
    assert type(back) is type(value)
    assert back == value


def test_the_annotations_of_a_descriptor_are_pickled_too() -> None:
    descriptor = Descriptor.from_json(_LAYER, "it")
    assert pickle.loads(pickle.dumps(descriptor)).annotations == {"a": "b"}
    with pytest.raises(TypeError):
        descriptor.annotations["a"] = "c"  # type: ignore[index]
