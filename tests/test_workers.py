"""What a worker of a cluster does, without a cluster."""

import asyncio
import pickle
from dataclasses import replace

from rehearsing import prepare_grid
from serving import Server

from needle.caching.ordering import arrange
from needle.edges.endpoint import Heard
from needle.runs.beside import send_here
from needle.runs.prepare import Prepared
from needle.runs.workers import Asker, describe_code
from needle.runs.writing import gather_texts
from needle.words.types import Haystack, Reply


def prepare_at(server: Server) -> Prepared:
    """Return a small run whose model is at a server."""
    prepared = prepare_grid("1k,2k", 3, cache="openai-explicit")
    model = replace(prepared.run.model, base_url=server.base_url)
    return replace(prepared, run=replace(prepared.run, model=model))


def test_a_worker_sends_what_this_process_would(server: Server) -> None:
    """A worker that was sent a run sends the very same requests, marks of a cache included."""
    prepared = prepare_at(server)
    run = prepared.run
    steps = arrange(prepared.plan.trials, run.templates, run.model.cache, 2, None)
    texts = gather_texts(prepared)

    async def kept(haystack: Haystack) -> Haystack:
        return haystack

    async def go() -> list[Heard]:
        here = send_here(prepared, "key")
        heard = [await here.send(step) for step in steps]
        await here.close()
        asker = Asker()
        shipped = {
            language: (haystack.sha256, [kept(haystack)])
            for language, haystack in prepared.haystacks.items()
        }
        sent_run, sent_steps = pickle.loads(pickle.dumps((texts.run, steps)))
        await asker.open(7, sent_run, texts.longest, shipped, "key")
        await asker.open(7, sent_run, texts.longest, shipped, "key")  # once is enough
        heard += [await asker.send(7, step) for step in sent_steps]
        await asker.close(7)
        await asker.close(7)
        return heard

    heard = asyncio.run(go())
    assert all(isinstance(each.result, Reply) for each in pickle.loads(pickle.dumps(heard)))
    assert server.bodies[: len(steps)] == server.bodies[len(steps) :]
    assert set(server.keys) == {"key"}


def test_the_same_code_is_known_by_the_same_words() -> None:
    """A worker tells which needle it has, always alike."""

    async def go() -> str:
        return await Asker().describe()

    assert asyncio.run(go()) == describe_code()
