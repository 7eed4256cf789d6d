"""What takes room: faces of solids and the share of a node that they take, and the density of particles."""
