"""Small data sets that ship with the package; PROVENANCE.toml says whence."""
