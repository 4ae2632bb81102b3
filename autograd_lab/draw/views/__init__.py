"""Records to pictures: boxes with text, arrows and clusters, as plain data."""
