"""All tables of all domains, for comparison with what the migrations made."""

from quadrat.db.metadata import metadata
from quadrat.gaze import tables as gaze
from quadrat.identity import tables as identity
from quadrat.jobs import tables as jobs
from quadrat.objects import tables as objects
from quadrat.samples import tables as samples
from quadrat.serving import tables as serving

SCHEMAS = (gaze.SCHEMA, identity.SCHEMA, jobs.SCHEMA, objects.SCHEMA, samples.SCHEMA, serving.SCHEMA)

__all__ = ["SCHEMAS", "metadata"]
