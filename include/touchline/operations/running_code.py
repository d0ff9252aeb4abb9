"""Among `imports` of a worker in airflow.cfg: it notes which code it runs when it starts.

Files may change under a worker that goes on with what it has loaded; its tasks are forked from it and inherit the note.
"""

from touchline.operations.code import code_digest

code_digest()
