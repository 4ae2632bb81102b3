"""Pictures to places: where each box stands and which way each arrow takes, for pictures too large for ``dot``."""
