"""A shot made: scene, simulation, surface, trace, resolve, pictures."""
