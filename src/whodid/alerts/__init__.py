"""Alerts: rules on a threshold, on what is unusual, on what happened; told by mail and webhook."""
