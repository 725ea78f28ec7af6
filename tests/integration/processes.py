"""What all processes of ours have in common in tests."""

import subprocess
from pathlib import Path


class ChurnProcess:
    """A process whose log goes to `log`."""

    log: Path
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout_s: float = 30) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(timeout_s)
