"""Report pages as tests read them: their elements, and the data that they hold."""

import base64
import gzip
import json
from html.parser import HTMLParser
from typing import Any


class Elements(HTMLParser):
    """The elements of a page, with their attributes and what stands in its scripts."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.within: dict[str, str] = {}
        self._id: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        self._id = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        """Note what stands in an element."""
        if self._id is not None:
            self.within[self._id] = self.within.get(self._id, "") + data


def read_data(page: bytes) -> dict[str, Any]:
    """Return the data that a page holds, as its script reads them."""
    packed = Elements(page.decode()).within["data"]
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return data


def outline(page: bytes) -> list[tuple[str, list[str]]]:
    """Return a page's elements with the names of their attributes."""
    return [(tag, list(attributes)) for tag, attributes in Elements(page.decode()).found]
