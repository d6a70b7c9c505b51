"""The report that parties sit around: the mediator's page of a run, and several runs side by side."""

from server.report.files import write_report
from server.report.mediator_page import mediator_page

__all__ = ["mediator_page", "write_report"]
