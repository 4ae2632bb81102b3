"""A quantum circuit as a layer, differentiated by the parameter-shift rule."""

import pennylane
import torch

PACKAGE, REQUIRES = "pennylane", ["pennylane==0.45.1"]

device = pennylane.device("default.qubit", wires=2)


@pennylane.qnode(device, interface="torch", diff_method="parameter-shift")
def circuit(inputs, weights):
    pennylane.AngleEmbedding(inputs, wires=range(2))
    pennylane.BasicEntanglerLayers(weights, wires=range(2))
    return [pennylane.expval(pennylane.PauliZ(wire)) for wire in range(2)]


def step():
    model = torch.nn.Sequential(
        torch.nn.Linear(3, 2), pennylane.qnn.TorchLayer(circuit, {"weights": (1, 2)}), torch.nn.Linear(2, 1)
    )
    return model(torch.randn(3)).square().mean(), model
