"""The processes that run. Each outside system is reached in one module: Redis in `store`, Kafka in a `log` each."""
