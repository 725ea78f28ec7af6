"""The scoring worker: events in, scores out, exactly once. Start reading at `worker.py`."""
