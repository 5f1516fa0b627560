"""The Files and Batches API: uploading, making, looking after and fetching, by endpoint's client.

Making a batch is what costs money. Before each attempt at it the vendor's own list is looked
through, so that an attempt whose answer was lost is never made twice.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from needle.asking.batches import FILE, ID, Batch, BatchFile, is_of, read_batch
from needle.asking.batchlines import URL
from needle.asking.failures import redact
from needle.edges.endpoint import call
from needle.edges.store import Draft
from needle.words.errors import StoreError
from needle.words.types import Failure

if TYPE_CHECKING:
    from openai import AsyncOpenAI

WINDOW: Final = "24h"
"""The time within which a batch is to be answered: OpenAI takes no other."""

_PAGE = 100
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch that was not made, for certain: the vendor's refusal."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Desk:
    """A vendor's files and batches, as one user sees them."""

    client: "AsyncOpenAI"
    key: str | None
    errors: Mapping[str, Sequence[str]]

    async def upload(self, path: Path, name: str) -> str | Failure:
        """Upload a file of requests under a name; return the vendor's name for it."""

        async def send() -> str:
            with _open(path) as file:
                raw = await self.client.files.with_raw_response.create(
                    file=(name, file, "application/jsonl"), purpose="batch"
                )
            file_id = json.loads(raw.text)["id"]
            if not (isinstance(file_id, str) and file_id):
                raise ValueError("no id")
            return file_id

        return await call(send, self.key, self.errors)

    async def make(self, file: BatchFile, whose: str) -> Batch | Refused | Failure:
        """Make a batch of an uploaded file, unless there is one; ``whose`` is told to the vendor.

        A Failure leaves it open whether there is one now.
        """
        making = False

        async def send() -> Batch:
            nonlocal making
            making = False
            for batch in await self._find(file):
                return batch
            making = True
            raw = await self.client.batches.with_raw_response.create(
                input_file_id=file.file_id or "",
                endpoint=URL,
                completion_window=WINDOW,
                metadata={ID: file.origin, FILE: file.name, "needle_run": whose},
            )
            return self._read(raw.text)

        made = await call(send, self.key, self.errors)
        if making and isinstance(made, Failure) and (made.permanent or made.condemns):
            return Refused(made)
        return made

    async def find(self, file: BatchFile) -> Batch | Failure | None:
        """Return the batch that was made of a file, if there is one."""

        async def send() -> Batch | None:
            return next(iter(await self._find(file)), None)

        return await call(send, self.key, self.errors)

    async def _find(self, file: BatchFile) -> list[Batch]:
        """Look through all of the vendor's list: it need not be in the order of time."""
        listed: dict[str, Batch] = {}
        after: dict[str, Any] = {}
        while True:
            raw = await self.client.batches.with_raw_response.list(limit=_PAGE, **after)
            page = json.loads(raw.text)
            before = len(listed)
            for each in page["data"] or ():
                with suppress(*_UNREADABLE):
                    batch = read_batch(each)
                    listed[batch.name] = batch
            if len(listed) == before or page.get("has_more") is False:
                return [batch for batch in listed.values() if is_of(batch, file)]
            after = {"after": next(reversed(listed))}

    async def look(self, name: str) -> Batch | Failure:
        """Return a batch as it is now."""

        async def send() -> Batch:
            raw = await self.client.batches.with_raw_response.retrieve(name)
            return self._read(raw.text)

        return await call(send, self.key, self.errors)

    def _read(self, text: str) -> Batch:
        """Read a batch; what it says is wrong with its file is one line without the key."""
        batch = read_batch(json.loads(text))
        errors = (" ".join(redact(error, self.key).split()) for error in batch.errors)
        return replace(batch, errors=tuple(errors))

    async def fetch(self, file_id: str, path: Path) -> Failure | None:
        """Fetch one of the vendor's files to disk, whole or not at all; return why it failed."""

        async def send() -> None:
            draft = Draft(path)
            try:
                content = self.client.files.with_streaming_response.content(file_id)
                async with content as response:
                    async for data in response.iter_bytes():
                        draft.write(data)
                draft.keep()
            finally:
                draft.drop()

        return await call(send, self.key, self.errors)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(
            f"can't read {path}: {reason} (write it anew: needle batch write)"
        ) from error
