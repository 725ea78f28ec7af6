"""What is raised when a service cannot be started, reached or ended."""

from churn.errors import UserError


class StackError(UserError):
    """A service of the local stack could not be started, reached or ended; the message is one line."""
