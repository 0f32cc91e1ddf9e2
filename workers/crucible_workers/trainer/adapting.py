"""What a recipe trains: an adapter's shape, or everything."""

from __future__ import annotations

from peft import LoraConfig

from crucible_tasks.recipe import Method, Recipe

#: what peft calls every linear layer but the head
_ALL_LINEAR = "all-linear"


def adapter_shape(recipe: Recipe) -> LoraConfig | None:
    """The adapter to train; None where all weights are trained."""
    if not recipe.trains_adapter:
        return None
    is_all = recipe.targets == (_ALL_LINEAR,)
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=_ALL_LINEAR if is_all else list(recipe.targets),
        use_dora=recipe.method is Method.DORA,
        task_type="CAUSAL_LM",
    )
