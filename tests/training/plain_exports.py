"""Small BERTs as torch and optimum export them, imported as models of the sidecar. Needs torch."""

import json
from pathlib import Path

import torch
import transformers

from hybridrank.training.onnx.importing.model import import_model
from hybridrank.training.onnx.quiet import quiet
from tests.training import tiny_berts

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = {"encoder": "last_hidden_state", "cross-encoder": "logits"}
AUTO = {"encoder": transformers.AutoModel, "cross-encoder": transformers.AutoModelForSequenceClassification}


class Inside(torch.nn.Module):
    """A model as a part of another one, by whose name those of its weights begin."""

    def __init__(self, model, prefix, output, first_position=0):
        super().__init__()
        self.output, self.first_position = output, first_position
        holder = self
        *outer, last = prefix.split(".")
        for part in outer:
            holder.add_module(part, holder := torch.nn.Module())
        holder.add_module(last, model)
        self.whole = [model]  # in a list, so that it has one name

    def forward(self, *inputs):
        """Returns the output, with positions from `first_position`."""
        places = torch.arange(inputs[0].shape[1])[None] + self.first_position
        return self.whole[0](**dict(zip(INPUTS, inputs, strict=True)), position_ids=places)[self.output]


def checkpoint(folder, kind="encoder", **config):
    """Saves a small BERT with these settings."""
    tiny_berts.save(folder, kind, seed=4)
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(described | config))
    return folder


def imported(source, out, opset, *, kind="encoder", prefix="m", attention="eager", first_position=0):
    """Exports the checkpoint with torch, and imports it; an encoder pools by its first token and has prefixes."""
    model = AUTO[kind].from_pretrained(source, attn_implementation=attention).eval()
    example = torch.ones((2, 8), dtype=torch.long)
    mask = example.clone()
    mask[1, 5:] = 0
    layout = out.with_name(f"{out.name}-source")
    (layout / "1_Pooling").mkdir(parents=True)
    with quiet():
        torch.onnx.export(
            Inside(model, prefix, OUTPUTS[kind], first_position),
            (example, mask, torch.zeros_like(example)),
            str(layout / "model.onnx"),
            input_names=list(INPUTS),
            output_names=[OUTPUTS[kind]],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in INPUTS},
            opset_version=opset,
            dynamo=False,
        )
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (layout / name).write_bytes((Path(source) / name).read_bytes())
    (layout / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    settings = {"query_prefix": "query "} if kind == "encoder" else {}
    return import_model(layout, out, kind=kind, name="mine", tokens=40, **settings).path
