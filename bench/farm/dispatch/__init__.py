"""Which task goes out when, in which pieces, and what happens to one that does not come back."""
