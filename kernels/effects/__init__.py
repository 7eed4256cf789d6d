"""Effects particles: spray, foam and embers, born, carried and dying."""
