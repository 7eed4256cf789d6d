"""Heat and lava: conduction, radiation, viscosity from temperature."""
