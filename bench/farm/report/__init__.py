"""A farm run afterwards: what was projected of it beside what it took, and a drawing of who did what when."""
