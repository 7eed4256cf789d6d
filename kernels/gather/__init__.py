"""From grid to particles: what they become, and between sound steps what becomes of their volumes."""
