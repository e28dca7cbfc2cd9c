"""Scheduled reports: any report, again and again, into a connection or by mail."""
