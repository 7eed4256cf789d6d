"""The clusters that ship, one TOML file each."""
