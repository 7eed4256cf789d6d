"""Commands that prove: this machine, a GPU, the physics. Their names are those of the files, as in the folder above."""
