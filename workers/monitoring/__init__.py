"""The monitor: how the whole system does, as a page and as numbers."""
