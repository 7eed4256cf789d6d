"""The path tracer: what a path meets, and how light goes on."""
