"""The training process: transformers, peft and TRL; started by a worker, never imported."""
