"""Quality reports: how good the models have been, what drifted, who was champion, and what went worst."""
