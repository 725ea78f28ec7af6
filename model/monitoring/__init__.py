"""The statistics of monitoring: whether the data have shifted, and how good the scores turned out. Pure functions."""
