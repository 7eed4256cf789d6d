"""What a shot file may say, and how it is read."""
