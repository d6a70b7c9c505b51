"""Simulated collaborations: load data, divide it among parties, run the whole way on one machine, show the result."""

__all__: list[str] = []
