"""Several GPUs in one machine: one of them simulates, each renders frames of its own, a process a device.

The farm's ``local`` site does the same through files. It costs more there: of 14.7 million particles, 240 MB, a state
goes from process to process in 0.05 s in memory, through files in 0.13 s, and 0.37 s go into writing it beside the
simulation (two cores of a shared machine, idle; best of four). So a machine's own GPUs keep this way.
"""
