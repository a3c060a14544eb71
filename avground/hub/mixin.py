"""What :class:`avground.hub.PretrainedModel` inherits: huggingface_hub's mixin, where that is installed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huggingface_hub import ModelHubMixin
else:
    try:
        from huggingface_hub import ModelHubMixin
    except ModuleNotFoundError:

        class ModelHubMixin:
            """Stands in where huggingface_hub is missing: checkpoints can be read without it."""

            def __init_subclass__(cls, **about: Any) -> None:
                """Take what the mixin would take."""
                super().__init_subclass__()


__all__ = ["ModelHubMixin"]
