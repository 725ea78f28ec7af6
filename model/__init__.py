"""Features, training and scoring: pure functions and files, no Kafka, no Redis, no HTTP."""
