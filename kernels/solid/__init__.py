"""What solids are to a node of the grid: their faces, and the share of it that they take."""
