"""Tables of papers, to have them beside one's own; they were measured on other images."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from crystal_search.columns import column_named
from crystal_search.evaluation.tables import Cell, Table, table
from crystal_search.outcomes import GROUPS

SOURCE = "Thielmann et al. (2023), Acta Cryst. A79, 331–338"

TABLE_2 = table(
    "paper-table-2",
    (
        *("network", "model_mb", "weight_layers", "epochs", "total_s", "epoch_min"),
        *("train_accuracy_percent", "train_top5_percent", "train_loss"),
        *("validation_accuracy_percent", "validation_top5_percent", "validation_loss"),
    ),
    (
        ("AlexNet (13)", 223.0, 8, 100, 15260.0, 2.54, 0.837, 0.989, 0.48, 0.782, 0.974, 0.73),
        ("AlexNet (5)", None, None, None, None, None, 0.835, None, 0.45, 0.823, None, 0.51),
        ("AlexNet (MARCO)", None, None, None, None, None, 0.906, None, 0.26, 0.885, None, 0.32),
        ("VggNet (13)", 513.0, 16, 70, 54497.0, 12.98, 0.780, 0.971, 0.68, 0.765, 0.965, 0.77),
        ("ResNet (13)", 90.0, 50, 55, 19922.0, 6.04, 0.859, 0.992, 0.41, 0.795, 0.977, 0.66),
        ("SqueezeNet (13)", 2.9, 18, 200, 30408.0, 2.53, 0.817, 0.983, 0.54, 0.794, 0.976, 0.64),
    ),
)

TABLE_3 = Table(
    "paper-table-3",
    tuple(
        replace(column_named(name), digits=2)
        for name in ("network", *(f"{group}_percent" for group in GROUPS), "weighted_mean_percent")
    ),
    (
        ("AlexNet, 13 classes", 0.7688, 0.6981, 0.5548, 0.8510, 0.7416),
        ("AlexNet, 5 classes", 0.6409, 0.7133, 0.5104, 0.7376, 0.6833),
        ("AlexNet, MARCO", 0.8142, 0.3711, 0.0739, 0.6756, 0.6942),
        ("VggNet", 0.6005, 0.7353, 0.5424, 0.7118, 0.6807),
        ("ResNet", 0.7244, 0.6631, 0.6203, 0.7726, 0.7005),
        ("SqueezeNet (85 %)", 0.6986, 0.7855, 0.6714, 0.8995, 0.7709),
        ("SqueezeNet (80 %)", 0.7431, 0.7646, 0.6677, 0.8796, 0.7700),
    ),
)

CHIMP = "King et al. (2024), Acta Cryst. D80, 744–764"

TABLE_5 = table(
    "paper-table-5",
    ("network", *(f"f1_{group}" for group in GROUPS), "f1_mean"),
    (
        ("CHiMP v2, all experts agree", 0.8291, 0.8221, 0.4286, 0.6286, 0.6771),
        ("CHiMP v2, two agree", 0.7340, 0.7484, 0.4456, 0.6823, 0.6526),
        ("CHiMP v1, all experts agree", 0.7649, 0.7411, 0.4710, 0.6047, 0.6454),
        ("CHiMP v1, two agree", 0.6635, 0.6778, 0.4547, 0.6415, 0.6094),
        ("MARCO, all experts agree", 0.7759, 0.7761, 0.1243, 0.7179, 0.5986),
        ("MARCO, two agree", 0.6947, 0.7346, 0.1473, 0.7472, 0.5809),
    ),
)

OTHER_IMAGES = "Measured on other images, never to be compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """Tables of a paper, and on what they were measured."""

    source: str
    about: str
    tables: tuple[Table, ...]


def _finely(name: str, names: Iterable[str], rows: Iterable[Iterable[Cell]], digits: int) -> Table:
    """Return a table that is shown with so many digits as in the paper."""
    found = table(name, names, rows)
    return Table(name, tuple(replace(each, digits=digits) for each in found.columns), found.rows)


_OF_DETECTORS = ("network", "compared", "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
TABLE_6 = table(
    "paper-table-6",
    _OF_DETECTORS,
    (
        ("CHiMP detector, VMXi", "upright boxes", 0.310, 0.565, 0.307, 0.055, 0.428, 0.657),
        ("CHiMP detector, VMXi", "masks", 0.288, 0.522, 0.274, 0.026, 0.401, 0.659),
    ),
)
TABLE_8 = table(
    "paper-table-8",
    _OF_DETECTORS,
    (
        ("CHiMP detector, XChem", "upright boxes", 0.380, 0.505, 0.381, 0.101, 0.214, 0.641),
        ("CHiMP detector, XChem", "masks", 0.386, 0.467, 0.368, 0.081, 0.155, 0.605),
    ),
)
DETECTORS = Theirs(
    source=f"{CHIMP}, Tables 6 and 8",
    about=f"{OTHER_IMAGES}: crystals of 47 drops (VMXi), and 70 drops (XChem), the mean over crystals and drops.",
    tables=(TABLE_6, TABLE_8),
)

_OF_PRESENCE = ("network", "class", "precision_percent", "recall_percent", "f1_percent")
TABLE_7 = _finely(
    "paper-table-7",
    _OF_PRESENCE,
    (
        ("CHiMP detector, VMXi, all experts agree", "crystals", 0.4177, 0.9448, 0.5793),
        ("CHiMP detector, VMXi, all experts agree", "no crystals", 0.9737, 0.6078, 0.7484),
        ("CHiMP detector, VMXi, two agree", "crystals", 0.3300, 0.9218, 0.4860),
        ("CHiMP detector, VMXi, two agree", "no crystals", 0.9688, 0.5649, 0.7137),
    ),
    2,
)
TABLE_9 = _finely(
    "paper-table-9",
    _OF_PRESENCE,
    (
        ("CHiMP detector, XChem, all experts agree", "crystals", 0.4921, 0.8551, 0.6247),
        ("CHiMP detector, XChem, all experts agree", "no crystals", 0.9447, 0.7372, 0.8281),
        ("CHiMP detector, XChem, two agree", "crystals", 0.3945, 0.8045, 0.5294),
        ("CHiMP detector, XChem, two agree", "no crystals", 0.9401, 0.7130, 0.8109),
    ),
    2,
)
PRESENCE = Theirs(
    source=f"{CHIMP}, Tables 7 and 9",
    about=f"{OTHER_IMAGES}: 632 on which three experts agree, and 949 on which two do.",
    tables=(TABLE_7, TABLE_9),
)

WITH_CLAHE = Theirs(
    source="Qin et al. (2021), Table 1",
    about=f"{OTHER_IMAGES}: 10 and 100 of MARCO; whether of boxes or masks is not said.",
    tables=(
        table(
            "paper-qin-table-1",
            ("network", "ap50", "ap65", "images"),
            (
                ("Mask R-CNN, ResNet101", 0.668, None, 10),
                ("Mask R-CNN, ResNet101, CLAHE in front", 0.703, None, 10),
                ("Mask R-CNN, ResNet101", None, 0.302, 100),
                ("Mask R-CNN, ResNet101, CLAHE in front", None, 0.430, 100),
            ),
        ),
    ),
)

_S2ANET = (  # network; without added noise: of all sizes, small, medium, large; with it
    ("anchors 16–256 px, ImageNet, 12 epochs", (33.48, 7.26, 34.29, 62.75), (18.44, 2.16, 15.98, 42.42)),
    ("anchors 8–128 px, ImageNet, 12 epochs", (34.05, 8.80, 35.81, 60.19), (18.10, 2.31, 16.10, 40.39)),
    ("the same without pooling", (38.04, 10.91, 39.66, 65.39), (21.93, 3.48, 20.69, 46.66)),
    ("the same without pooling, 110 epochs", (58.24, 39.00, 64.16, 76.59), (29.46, 8.76, 29.19, 56.82)),
    ("the same from scratch, 110 epochs", (60.22, 41.87, 65.90, 77.80), (33.53, 12.22, 35.35, 60.12)),
)
SUSPENSIONS = Theirs(
    source="Bischoff et al. (2022), Table 1",
    about=f"{OTHER_IMAGES}: rendered suspensions of another renderer.",
    tables=(
        _finely(
            "paper-bischoff-table-1",
            ("network", "ap", "ap_small", "ap_medium", "ap_large"),
            (
                (f"S2A-Net, {name}{noise}", *(percent / 100 for percent in row))
                for name, clean, augmented in _S2ANET
                for noise, row in (("", clean), ("; with noise", augmented))
            ),
            4,
        ),
    ),
)

#: Number; targets and images of both trainings, and the rate of the second; F, Jaccard and difference in crystals of
#: target H and of target G.
KARDOOST_TABLE_1 = (
    (1, "G10", None, (47.14, 31.41, 67.49), (75.67, 60.94, 17.79)),
    (2, "G30", None, (58.95, 42.23, 53.93), (77.11, 62.82, 15.97)),
    (3, "G50", None, (54.95, 38.38, 61.28), (77.70, 63.60, 15.76)),
    (4, "G50 > H10", 1e-3, (82.35, 70.13, 16.49), (75.34, 60.52, 14.53)),
    (5, "G50 > H10", 1e-4, (78.79, 65.18, 17.86), (77.23, 62.97, 11.52)),
    (6, "G50 > H30", 1e-3, (81.76, 69.27, 14.60), (76.20, 61.63, 17.02)),
    (7, "G50 > H30", 1e-4, (79.92, 66.69, 17.34), (77.34, 63.12, 10.66)),
    (8, "G50 > H50", 1e-3, (83.34, 71.55, 13.77), (75.64, 60.90, 22.79)),
    (9, "G50 > H50", 1e-4, (80.93, 68.11, 17.19), (76.89, 62.52, 13.02)),
    (10, "H10", None, (82.19, 69.92, 16.25), (54.40, 37.65, 25.01)),
    (11, "H30", None, (81.61, 69.10, 13.69), (55.07, 38.36, 43.23)),
    (12, "H50", None, (82.51, 70.38, 11.35), (57.77, 40.97, 50.32)),
    (13, "H50 > G10", 1e-3, (63.88, 47.41, 49.87), (73.77, 58.53, 19.34)),
    (14, "H50 > G10", 1e-4, (73.49, 58.36, 30.69), (62.75, 45.85, 11.33)),
    (15, "H50 > G30", 1e-3, (67.49, 51.26, 38.16), (73.01, 57.61, 13.90)),
    (16, "H50 > G30", 1e-4, (73.65, 58.57, 30.75), (60.29, 43.30, 13.25)),
    (17, "H50 > G50", 1e-3, (68.36, 52.33, 44.67), (74.26, 59.16, 19.40)),
    (18, "H50 > G50", 1e-4, (73.47, 58.38, 29.89), (59.93, 42.94, 12.85)),
    (19, "H50 + G50", None, (78.09, 64.26, 21.04), (73.85, 58.64, 16.13)),
)
IN_CELLULO = Theirs(
    source="Kardoost et al. (2024), Table 1",
    about=f"{OTHER_IMAGES}: 150 images each of insect cells with clustered crystals (H) and with long ones (G).",
    tables=(
        _finely(
            "paper-kardoost-table-1",
            ("network", "target", "f_pixels_percent", "jaccard_percent", "count_difference_percent"),
            (
                (
                    f"Mask R-CNN, {name}" + ("" if rate is None else f", rate {rate:g}"),
                    target,
                    *(each / 100 for each in row),
                )
                for _, name, rate, clustered, long in KARDOOST_TABLE_1
                for target, row in (("clustered", clustered), ("long", long))
            ),
            2,
        ),
    ),
)
