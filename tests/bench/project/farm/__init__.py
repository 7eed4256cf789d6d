"""A farm in the projection: what was found on a site, workers that share cores, runs that were foretold."""
