"""Folders of the zoo out of detectors: exported, calibrated, scored as exported, described."""
