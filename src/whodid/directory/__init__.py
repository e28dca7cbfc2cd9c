"""Users, groups, sessions, entities, keys and settings."""

from whodid.directory.directory import Directory

__all__ = ["Directory"]
