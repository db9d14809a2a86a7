"""Model folders: their files, digests, codecs, calibrations and self-tests. A leaf that sidecar and training share."""
