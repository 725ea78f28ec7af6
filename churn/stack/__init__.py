"""A real Kafka and a real Redis for the demo, the tests and `churn stack`; start reading at `ladder`."""
