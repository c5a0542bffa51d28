"""The report to send: one HTML file made of what the pipeline left on disk."""
