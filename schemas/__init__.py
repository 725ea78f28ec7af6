"""What crosses a boundary: events in, scores and dead letters out, the topics they travel on, and their documents."""
