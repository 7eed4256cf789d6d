"""Records as tables, for the terminal and as Markdown."""
