"""Quality gates: Great Expectations suites as code, and what happens when one fails."""
