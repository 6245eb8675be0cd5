"""Tables of papers, to have them beside one's own; they were measured on other images."""

from dataclasses import replace

from crystal_search.columns import column_named
from crystal_search.evaluation.tables import Table, table
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
