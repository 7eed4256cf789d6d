"""A shot at one size as arrays, and what it will need."""
