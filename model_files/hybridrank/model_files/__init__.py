"""Model folders: files, digests, codecs, calibrations and self-tests. A leaf package for sidecar and training."""
