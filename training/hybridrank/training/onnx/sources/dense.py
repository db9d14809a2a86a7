"""A Dense module of sentence-transformers or PyLate: activation(W x + b)."""

from typing import Any

import torch

from hybridrank.training.onnx.sources.source_files import ExportFailed, saved_json, saved_weights

__all__ = ["Dense", "read_dense"]

ACTIVATIONS = ("Identity", "ReLU", "GELU", "SiLU", "Tanh", "Sigmoid")
TANH = "torch.nn.modules.activation.Tanh"  # sentence-transformers' own where config.json names none


class Dense(torch.nn.Module):  # type: ignore[misc]
    """activation(W x + b), plus x or a projection of it if the layer is residual."""

    def __init__(self, config: dict[str, Any], weights: dict[str, Any], where: str) -> None:
        super().__init__()
        package, _, activation = (config.get("activation_function") or TANH).rpartition(".")
        if activation not in ACTIVATIONS or package.partition(".")[0] != "torch":
            raise ExportFailed(
                f"{where} has the activation {activation}; known are {', '.join(ACTIVATIONS)} of torch.nn"
            )
        sizes = config.get("in_features"), config.get("out_features")
        if not all(isinstance(each, int) for each in sizes):
            raise ExportFailed(f"{where}/config.json does not say its in_features and out_features")
        self.linear = torch.nn.Linear(*sizes, bias=config.get("bias", True))
        self.activation = getattr(torch.nn, activation)()
        self.residual = torch.nn.Identity() if config.get("use_residual") else None
        if self.residual is not None and sizes[0] != sizes[1]:
            self.residual = torch.nn.Linear(*sizes, bias=False)
        try:
            self.load_state_dict(weights)
        except RuntimeError as error:
            problem = " ".join(str(error).split())
            raise ExportFailed(f"the weights of {where} are not those of its config.json: {problem}") from error

    def forward(self, rows: Any) -> Any:
        """Returns (…, out_features) of (…, in_features)."""
        projected = self.activation(self.linear(rows))
        return projected + self.residual(rows) if self.residual is not None else projected


def read_dense(source: str, path: str) -> Dense:
    """Returns the layer in the folder `path` of a checkpoint; raises ExportFailed if it cannot be computed."""
    return Dense(saved_json(source, f"{path}/config.json"), saved_weights(source, f"{path}/"), f"{source}/{path}")
