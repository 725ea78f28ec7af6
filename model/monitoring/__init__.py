"""The statistics of monitoring: has the data shifted, and how good did the scores turn out. Pure functions."""
