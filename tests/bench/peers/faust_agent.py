"""A Faust agent. `EVENTS=20000 MODE=each|take python faust_agent.py`; `each` is the tutorial's way, with scikit-learn."""
import os
import sys
import uuid

import faust
import numpy as np
import redis.asyncio as redis
from job import BOOTSTRAP, COEF, FEATURES, REDIS_URL, Clock, decode_event, encode, score
from sklearn.linear_model import LogisticRegression

mode, clock = os.environ["MODE"], Clock(f"faust {os.environ['MODE']}", int(os.environ["EVENTS"]))
app = faust.App(str(uuid.uuid4()), broker=f"kafka://{BOOTSTRAP}", consumer_auto_offset_reset="earliest", web_enabled=False,
                topic_disable_leader=True, stream_buffer_maxsize=16384, topic_partitions=4, datadir=os.environ["PEER_FAUST_FOLDER"])
source = app.topic("peer.events", value_serializer="raw", key_serializer="raw")
target = app.topic("peer.scores", value_serializer="raw", key_serializer="raw")
store = redis.Redis.from_url(REDIS_URL)
model = LogisticRegression().fit(np.random.rand(100, len(COEF)), np.arange(100) % 2)


def count(n: int) -> None:
    if clock.add(n):
        os._exit(0)


@app.agent(source)
async def worker(stream):
    if mode == "each":
        async for value in stream:
            event = decode_event(value)
            fields = await store.hgetall(f"peer:h:{event.customer_id}")
            p = model.predict_proba(np.array([[float(fields[f.encode()]) for f in FEATURES]]))[0, 1]
            await target.send(key=event.customer_id.encode(), value=encode({"event_id": event.event_id, "p": float(p)}))
            count(1)
    else:
        async for values in stream.take(2000, within=0.05):
            events = [decode_event(v) for v in values]
            blobs = await store.mget([f"peer:m:{e.customer_id}" for e in events])
            for event, output in zip(events, score(events, blobs)):
                await target.send(key=event.customer_id.encode(), value=output)
            count(len(values))


if __name__ == "__main__":
    sys.argv = ["faust", "worker", "-l", "warn"]
    app.main()
