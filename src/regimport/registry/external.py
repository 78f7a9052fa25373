"""Layers that are not at the registry: read from the URLs that the image has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

from regimport.errors import BrokenTransfer, Interrupted, NotFound, RegimportError, Side
from regimport.models.descriptor import Descriptor
from regimport.models.pieces import without_first
from regimport.registry.request import Request
from regimport.registry.session import Session
from regimport.transport.origins import redirect_target

__all__ = ["ExternalBlobs"]


class ExternalBlobs:
    """Opens blobs at their URLs, without credentials, and where `registry` might redirect us.

    So no image sends us to an address of this machine or its network, unless its registry is there
    itself. `session` returns the session that carries the requests for a host.
    """

    def __init__(self, session: Callable[[str], Session], registry: str | None) -> None:
        self._session = session
        self._registry = registry

    @property
    def name(self) -> str:
        """The place, as messages name it."""
        return "the URLs of foreign layers"

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob at the first of its URLs that has it, from `start` on.

        Raise `NotFound` if none has, with the reason of the last one.
        """
        with ExitStack() as stack:
            reason = "the image has no URL for it"
            for url in blob.urls:
                try:
                    pieces = self._open(stack, url, start)
                except (BrokenTransfer, Interrupted):
                    raise
                except RegimportError as error:
                    reason = error.message
                    continue
                yield pieces
                return
            raise NotFound(
                f"the foreign layer {blob.digest} is not at the source, and cannot be read from "
                f"elsewhere: {reason}",
                hint="leave `foreign_layers` out to copy the image without the layer",
            ).located(Side.SOURCE, self._registry or "")

    def _open(self, stack: ExitStack, url: str, start: int) -> Iterator[bytes]:
        session = self._session(urlsplit(url).netloc)
        # A layout says as little about where it comes from as any registry out in the world.
        here = session.url_of("") if self._registry else "https://layout.invalid/"
        there = redirect_target(here, url)
        headers = {"Range": f"bytes={start}-"} if start else {}
        request = Request("GET", there, headers=headers, anonymous=True)
        head, pieces = stack.enter_context(session.stream(request))
        partial = head.status == HTTPStatus.PARTIAL_CONTENT
        sent = head.headers.get("content-range", "").startswith(f"bytes {start}-")
        if partial and not sent:
            raise RegimportError(f"{urlsplit(there).netloc} sent another part than was asked for")
        return pieces if partial or not start else without_first(start, pieces)
