"""The base of all models of the API's responses."""

from pydantic import BaseModel, ConfigDict

from console.examples import Json


class Answer(BaseModel):
    """Base of the models of responses."""

    model_config = ConfigDict(frozen=True)


def with_examples(*examples: Json) -> ConfigDict:
    """The configuration of a model with examples of its values."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})
