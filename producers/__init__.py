"""What others take: a client for events, one for predictions over HTTP, a reader of scores, a replay."""
