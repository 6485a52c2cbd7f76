"""What executes models: ONNX networks, and Python classes written for Triton's Python back end."""
