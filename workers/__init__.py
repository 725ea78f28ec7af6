"""The processes that run: each reads top to bottom from its `worker.py`, and reaches each outside system in one module."""
