"""The real parts as fixtures: each is started once, where a test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real.browser import Browser, browsing
from real.messages_api import MessagesApi, serving_messages
from real.parts import ANTHROPIC_KEY, Llama, Proxy, RayCluster, proxying, serving_llama, serving_ray


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def _api() -> Iterator[MessagesApi]:
    with serving_messages(ANTHROPIC_KEY) as api:
        yield api


@pytest.fixture
def api(_api: MessagesApi) -> MessagesApi:
    _api.reset()
    return _api


@pytest.fixture(scope="session")
def proxy(_api: MessagesApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxying(_api.base_url, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    with serving_llama(tmp_path_factory.mktemp("llama"), window=16_384, slots=4) as llama:
        yield llama


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    with serving_ray(tmp_path_factory.mktemp("ray")) as cluster:
        yield cluster


@pytest.fixture(scope="module")  # its driver keeps an event loop running, which others can't have
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser
