"""Telling people that something is wrong: once when it begins, again while it lasts, once when it is over."""
