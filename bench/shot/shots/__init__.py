"""The shots that ship, one TOML file each."""
