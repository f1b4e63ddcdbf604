"""A future of episodes that threads can wait for, and coroutines can await."""

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any

from maml_rl.episode import BatchEpisodes


class EpisodesFuture(Future[BatchEpisodes]):
    """Resolved by a consumer thread; ``future.result()`` anywhere, ``await future`` in any event loop."""

    def __await__(self) -> Generator[Any, None, BatchEpisodes]:
        return asyncio.wrap_future(self).__await__()
