"""Plain versions of kernels and models, written for reading: what the fast ones are held to."""
