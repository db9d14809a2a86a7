"""Model folders: files, digests, codecs, calibrations and self-tests. A leaf package that sidecar and training share."""
