"""What a projection takes where nobody says otherwise; light, so that the command line can show it."""

SHOT_S = 2.5  # length of a shot
FRAME_RATE = 24.0  # frames per second
FILM_SHOTS = 1900  # shots of a film
CLUSTER = "h200-1000"
