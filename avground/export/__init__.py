"""Models for others' runtimes: as a program of torch, and as an ONNX file.

from avground.export import export_onnx

export_onnx(model, "model.onnx", vocabulary=vocabulary)
"""

from avground.export.onnx_file import OnnxModel, export_onnx
from avground.export.program import OUTPUTS, export_program, save_program

__all__ = ["OUTPUTS", "OnnxModel", "export_onnx", "export_program", "save_program"]
