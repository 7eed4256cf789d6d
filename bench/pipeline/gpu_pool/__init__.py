"""Several GPUs in one machine: one of them simulates, each renders frames of its own, a process a device."""
