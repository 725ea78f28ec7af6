"""One file a data set: its header, and what a row says of a customer. Add a new one to `MAPPINGS`."""

from producers.mappings.iranian import IRANIAN
from producers.mappings.mlc import MLC

MAPPINGS = (IRANIAN, MLC)
