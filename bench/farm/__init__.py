"""A shot made on many machines by an engine that exists: sites, dispatch, exports, and what was foretold of it."""
