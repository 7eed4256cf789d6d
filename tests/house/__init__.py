"""The rules of the house: files, imports, kernels, documents."""
