"""The process that runs unattended: leadership, schedule, telemetry."""
