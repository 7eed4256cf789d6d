"""Scenes built array by array with NumPy: what the compiled loops of ``bench/pipeline/scene`` are held to."""
