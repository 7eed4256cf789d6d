"""Effects particles to fog in bricks, with local majorants."""
