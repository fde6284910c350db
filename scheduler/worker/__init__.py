"""The process that runs unattended: leadership, waking, telemetry."""
