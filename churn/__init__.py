"""The `churn` command: it reads the environment, builds each process from the other packages and runs it."""
