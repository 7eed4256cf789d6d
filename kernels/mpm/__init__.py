"""The fluid: MLS-MPM on a block-sparse grid."""
