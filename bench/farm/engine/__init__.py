"""What carries tasks to workers: the engine's interface, and Parsl behind it."""
