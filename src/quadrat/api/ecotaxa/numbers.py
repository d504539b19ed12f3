"""Numbers of things in paths, queries and bodies."""

from typing import Annotated

from pydantic import Field

#: What is greater is in no database; clients send some.
_GREATEST = 2**63 - 1

Number = Annotated[int, Field(ge=-_GREATEST, le=_GREATEST)]
