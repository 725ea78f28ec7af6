"""A Redis Cluster of one node."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from redis import Redis

from churn.stack.redis import LocalRedis


@contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """Its URL, for as long as the context lasts."""
    server = LocalRedis(folder / "redis", extra_args=("--cluster-enabled", "yes"))
    server.start()
    try:
        with closing(Redis.from_url(server.url)) as client:
            client.execute_command("CLUSTER ADDSLOTS", *range(16_384))
            while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                time.sleep(0.01)
        yield server.url
    finally:
        server.stop()
