"""One file a command, found by scanning: it parses, calls and prints."""
