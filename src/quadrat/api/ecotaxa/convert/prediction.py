"""Predictions between the words of the object-set API and the domain's."""

from quadrat.api.ecotaxa.schemas.prediction import PredictionRsp, PredictObjectSetBody
from quadrat.identity.types import ProjectId
from quadrat.objects.actions.prediction import Asked
from quadrat.objects.prediction_types import PredictionRequest


def request(body: PredictObjectSetBody) -> PredictionRequest:
    """A request as the domain has it."""
    asked = body.request
    return PredictionRequest(
        ProjectId(asked.project_id),
        body.filters.model_dump(exclude_none=True),
        [ProjectId(id_) for id_ in asked.source_project_ids],
        asked.learning_limit if asked.learning_limit and asked.learning_limit > 0 else None,
        asked.features,
        asked.categories,
        [(int(before), after) for before, after in asked.pre_mapping.items()],
        bool(asked.use_scn),
        asked.classifier,
        asked.model,
        list(asked.labels.items()),
    )


def asked(made: Asked) -> PredictionRsp:
    """What came of a request."""
    return PredictionRsp(errors=list(made.errors), warnings=list(made.warnings), job_id=made.job_id or 0)
