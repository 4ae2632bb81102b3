"""A run that is followed live: the page, served on this machine alone, gets each new trace while the program runs.

``server`` answers browsers; what it answers is the page's, made by who draws records. The program's own thread does
nothing for it: the server's threads look at the list of traces from time to time, and turn frozen records into JSON.
"""

from autograd_lab.live.follow import follow

__all__ = ["follow"]
