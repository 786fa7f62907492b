"""What all models of answers have in common."""

from pydantic import BaseModel, ConfigDict

from console import examples as shown


class Answer(BaseModel):
    """Base of everything that goes out."""

    model_config = ConfigDict(frozen=True)


def like(*examples: shown.Json) -> ConfigDict:
    """The configuration of a model with examples of its values."""
    return ConfigDict(json_schema_extra={"examples": list(examples)})
