"""The exporting process: weights as safetensors, GGUF or a model of Ollama, checked afterwards."""
