"""Changes of one thing each in a CUDA twin, which the tests have to see."""
