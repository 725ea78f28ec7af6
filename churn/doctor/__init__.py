"""What can be wrong with a system, each asked for by a check of its own."""
