"""Reports: one `.sql` file each, whose header says what it answers, what it takes and what it gives."""

from __future__ import annotations

from whodid.reports.report import Chart, Column, Parameter, Report
from whodid.reports.run import Prepared, Reported, catalogue, prepare, report, run

__all__ = ["Chart", "Column", "Parameter", "Prepared", "Report", "Reported", "catalogue", "prepare", "report", "run"]
