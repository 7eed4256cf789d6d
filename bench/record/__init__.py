"""What was measured, on which machine, as a file; and two such files side by side."""
