"""The HTTP API: the same answer as the stream's, when somebody asks."""
