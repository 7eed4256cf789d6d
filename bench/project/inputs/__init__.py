"""What a projection starts from: clusters, assumptions, claims, and points taken from records."""
