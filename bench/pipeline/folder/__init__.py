"""A shot on disk: frames and what is finished of them, states to go on from, picture files."""
