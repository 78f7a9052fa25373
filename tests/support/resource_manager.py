"""A fake of Azure Resource Manager: registries of a subscription, and imports that take a while."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.miniature import as_json
from support.scripted import Heard, Say

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
NAMES = (
    "management.azure.com",
    "management.chinacloudapi.cn",
    "management.usgovcloudapi.net",
)
_PROVIDER = "providers/Microsoft.ContainerRegistry/registries"


def resource_id(name: str, group: str = "images", subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/{_PROVIDER}/{name}"


def failure(message: str, code: str = "InvalidParameters") -> dict[str, Any]:
    return {"code": code, "message": message}


@dataclass
class FakeManager:
    """Answers as Resource Manager does. `imported` is called when an import is done.

    `looks` is how often an import is under way when it is looked at. `failing` is the error that it
    ends with, `refusing` what its start is answered with. `by_location` has failures told by a
    status, not in the body of an operation.
    """

    registries: dict[str, str] = field(default_factory=dict)  # the resource ID, by login server
    imported: Callable[[dict[str, Any]], None] = lambda _: None
    looks: int = 2
    failing: dict[str, Any] | None = None
    refusing: Say | None = None
    by_location: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    begun: threading.Event = field(default_factory=threading.Event)
    endless: bool = False

    def __call__(self, heard: Heard) -> Say:
        path = heard.path.partition("?")[0]
        self.paths.append(f"{heard.method} {path}")
        self.tokens.add(heard.authorization)
        if path.startswith("/operations/"):
            return self._look()
        if path.endswith("/importImage"):
            return self._begin(heard)
        found = [
            {"id": identity, "name": identity.rpartition("/")[2], "location": "westeurope"}
            | {"properties": {"loginServer": server}}
            for server, identity in self.registries.items()
        ]
        if path.endswith("/registries"):
            return as_json({"value": [each for each in found if path[:50] in str(each["id"])]})
        named = [each for each in found if each["id"] == path]
        missing = failure(f"The Resource {path} was not found.", "ResourceNotFound")
        return as_json(named[0]) if named else as_json({"error": missing}, 404)

    def _begin(self, heard: Heard) -> Say:
        if self.refusing is not None:
            return self.refusing
        self.asked.append(json.loads(heard.body))
        self.begun.set()
        place = f"https://{heard.headers['Host']}/operations/1"
        header = "Location" if self.by_location else "Azure-AsyncOperation"
        return Say(202, {header: place, "Retry-After": "0", "Content-Type": "application/json"})

    def _look(self) -> Say:
        if self.endless or self.looks:
            self.looks -= 1
            return Say(202) if self.by_location else as_json({"status": "InProgress"})
        more = {"Content-Type": "application/json", "x-ms-correlation-request-id": "abc-1"}
        if self.failing is None:
            self.imported(self.asked[-1])
            return Say(200, more, b'{"status": "Succeeded"}')
        body = json.dumps({"status": "Failed", "error": self.failing}).encode()
        return Say(400 if self.by_location else 200, more, body)
