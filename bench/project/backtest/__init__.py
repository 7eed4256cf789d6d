"""How wrong projections were on cases that they had not seen."""
