"""What every room needs: errors and their exit codes, units as text, files that are whole or not there, the screen."""
