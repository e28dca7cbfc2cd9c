"""Telling the world outside: mail and webhooks, each within a time limit, to no address that must not be called."""
