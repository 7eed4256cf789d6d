"""Names of the sizes that a shot may have, in rising order; light, so that the command line can list them."""

SIZE_NAMES = ("S", "M", "L", "XL")
