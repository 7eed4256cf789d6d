"""Proofs: golden hashes, physics, the tracer, and all that a machine can prove."""
