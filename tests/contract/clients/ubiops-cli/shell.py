"""One start of the program for many commands: their arguments come in, a line each; what was said goes out."""

import contextlib
import io
import json
import sys

from pkg.main import main

for line in sys.stdin:
    sys.argv = ["ubiops", *json.loads(line)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        main()
    sys.stdout.write(json.dumps(said.getvalue()) + "\n")
    sys.stdout.flush()
