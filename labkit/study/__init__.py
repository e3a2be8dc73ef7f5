"""The study folder: what a lab writes down about its raw files, read, checked and joined."""

from labkit.study.folder import Group, Study, check, new, open_study

__all__ = ["Group", "Study", "check", "new", "open_study"]
