"""The report that parties sit around: the mediator's page of a run, and several runs side by side."""

from server.report.comparison_page import ComparisonError, comparison_page
from server.report.files import purge, write_comparison, write_report
from server.report.mediator_page import mediator_page

__all__ = ["ComparisonError", "comparison_page", "mediator_page", "purge", "write_comparison", "write_report"]
