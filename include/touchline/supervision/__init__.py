"""Services that come back: what runs, under a kept supervisor (supervisord), from one place."""
