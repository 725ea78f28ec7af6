"""One module a command: it reads the settings, builds the process, runs it."""
