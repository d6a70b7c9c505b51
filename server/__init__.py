"""The mediator's process: its Flower ServerApp, its run config, and the run directory it writes."""
