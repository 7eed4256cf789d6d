"""The liquid against published experiments and closed forms: what ``shotmark validate`` runs and shows."""
