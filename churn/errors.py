"""The one error that a user of a command is shown."""


class UserError(Exception):
    """Something the user can mend; its message is one line and the command ends with exit code 2."""
