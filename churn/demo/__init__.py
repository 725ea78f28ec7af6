"""The demo: the whole system on the bundled data, live in the terminal, every record accounted for."""
