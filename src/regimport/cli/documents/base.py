"""What all documents share: the model they derive from, the version, and errors."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from regimport.engine.document import error_document
from regimport.errors import RegimportError

__all__ = ["SCHEMA_VERSION", "Document", "ErrorDocument"]


SCHEMA_VERSION: Literal["1"] = "1"


class Document(BaseModel):
    """A frozen document without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorDocument(Document):
    """Why something failed."""

    kind: str = Field(description="The error's class, e.g. NotFound.")
    exit_code: int = Field(description="The exit code that this error alone leads to.")
    message: str
    hint: str | None = Field(description="What the user can do about it.")
    side: Literal["source", "target"] | None
    registry: str | None
    repository: str | None
    status: int | None = Field(description="The HTTP status that the registry answered.")
    codes: list[str] = Field(description="The registry's own error codes.")

    @classmethod
    def of(cls, error: RegimportError) -> ErrorDocument:
        """Return the document of an error."""
        return cls.model_validate(error_document(error))
