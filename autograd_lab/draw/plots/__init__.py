"""Records to plots, drawn by matplotlib."""
