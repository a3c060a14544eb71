"""Pocket scenes as real videos: drawn pictures and synthesised sound. Needs Pillow and PyAV, imported only here."""
