"""The sites that ship: one TOML file each. ``bench.farm.site`` explains every key."""
