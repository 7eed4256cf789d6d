"""Pictures: samples of every pixel, and what they resolve to."""
