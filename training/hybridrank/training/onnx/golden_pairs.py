"""Writes selftest.json: golden pairs with fp32 scores of a model, with which the sidecar tests the model.

   python -m hybridrank.training.onnx.golden_pairs FP32_MODEL_FOLDER OUT

Eight queries, each with passages from a good answer to an unrelated subject. Some passages are nearly the same, so that
the pairs include near ties.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hybridrank.model_files import self_test
from hybridrank.model_files.self_test import GoldenPairs
from hybridrank.sidecar import in_process
from hybridrank.sidecar.in_process import LoadedModel

__all__ = ["GOLDEN_PAIRS", "reference"]

GOLDEN_PAIRS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "how do bees find their way home",
        (
            "Honeybees find their way back to the hive by the position of the sun and by landmarks they learnt on "
            "earlier flights.",
            "On its first flights a young bee circles the hive and learns what its surroundings look like.",
            "Bees tell each other where flowers are by a dance on the comb.",
            "A hive holds one queen, some hundred drones and many thousand workers.",
            "Homing pigeons return to their loft over hundreds of kilometres.",
            "The bridge is closed to lorries until the end of May.",
        ),
    ),
    (
        "what temperature does water boil at on a mountain",
        (
            "Water boils at a lower temperature the higher you are: at 3,000 metres it takes only about 90 °C.",
            "At an altitude of 3,000 m the boiling point of water falls to roughly 90 degrees Celsius.",
            "At sea level water boils at 100 °C.",
            "Pasta takes longer to cook in the mountains.",
            "Mountain weather changes quickly, so take warm clothes.",
            "The orchestra tunes to the note that the oboe gives.",
        ),
    ),
    (
        "reset a forgotten password",
        (
            'If you have forgotten your password, choose "Forgot password" on the sign-in page; you get a link by mail '
            "that lets you set a new one.",
            "To change your password, open Settings, then Security, and enter the old one and the new one.",
            "Passwords must have at least twelve characters.",
            "An administrator can lock and unlock accounts.",
            "Please do not forget to water the plants while we are away.",
            "Copper conducts heat better than iron.",
        ),
    ),
    (
        "is it safe to take ibuprofen and paracetamol together",
        (
            "Adults may take paracetamol and ibuprofen together, as they work in different ways; keep to the dose of "
            "each.",
            "Ibuprofen should not be taken together with aspirin or on an empty stomach.",
            "Paracetamol lowers fever and eases pain.",
            "Keep medicines out of the reach of children.",
            "The pharmacy on Main Street is open until eight.",
            "Two trains an hour run together as far as the junction.",
        ),
    ),
    (
        "error: address already in use",
        (
            'The message "address already in use" means that another process listens on this port; stop it, or start '
            "the server on another port.",
            "A server binds to an address and a port before it can take connections.",
            "Write the address on the front of the envelope and the sender on the back.",
            "The program ends with exit code 1 after an error.",
            "Ports below 1024 are reserved for the superuser.",
            "Rye bread keeps fresh for a week.",
        ),
    ),
    (
        "who painted the ceiling of the sistine chapel",
        (
            "Michelangelo painted the ceiling of the Sistine Chapel between 1508 and 1512.",
            "The frescoes on the chapel's ceiling in the Vatican are the work of Michelangelo.",
            "The walls of the Sistine Chapel were painted by Botticelli, Perugino and others.",
            "Raphael worked in the Vatican in the same years.",
            "We painted the ceiling of the kitchen white.",
            "A triangle has three sides.",
        ),
    ),
    (
        "minimum notice period to end a rental contract",
        (
            "A tenant may end the rental contract with a notice of three months to the end of a month.",
            "The tenancy can be terminated by either party; the period of notice is at least three months.",
            "The rent is due on the third working day of the month.",
            "The deposit is paid back within six months of the end of the contract.",
            "Notice the small bird at the edge of the painting.",
            "Whales are mammals.",
        ),
    ),
    (
        "does regular exercise lower blood pressure",
        (
            "In trials, people who exercised regularly lowered their blood pressure by five to eight points.",
            "Regular physical activity reduces high blood pressure.",
            "Salt raises blood pressure in many people.",
            "Blood pressure is measured in millimetres of mercury.",
            "Tyre pressure should be checked once a month.",
            "The exercise on page 12 is about fractions.",
        ),
    ),
)


def reference(model: LoadedModel) -> tuple[GoldenPairs, ...]:
    """Returns the golden pairs with the scores of `model`, which should be fp32."""
    return tuple(
        GoldenPairs(
            query=query,
            passages=passages,
            relevance_scores=tuple(model.reranker.relevance_scores(query, passages)),
            cosines=tuple(in_process.cosines(model.encoder, query, passages)) if model.encoder else None,
        )
        for query, passages in GOLDEN_PAIRS
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Scores the pairs with one model folder and writes selftest.json to another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a model folder of the sidecar that holds fp32")
    parser.add_argument("out", type=Path, help="the folder to write selftest.json to")
    options = parser.parse_args(arguments)
    self_test.write(options.out, reference(in_process.load_model(options.model, precision="fp32")))


if __name__ == "__main__":
    main()
