"""Programs of others that are measured in the same run: taichi and Mitsuba."""
