"""The projection and how it is shown."""
