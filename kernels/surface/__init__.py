"""Particles to the liquid's level set in bricks."""
