"""Reports: one `.sql` file each, whose header says what it answers, what it takes and what it gives."""

from __future__ import annotations

from whodid.reports.report import Chart, Column, Parameter, Report
from whodid.reports.run import catalogue, report, run

__all__ = ["Chart", "Column", "Parameter", "Report", "catalogue", "report", "run"]
