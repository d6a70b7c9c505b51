"""Every number of a report in a sentence: the same words wherever it stands."""

from __future__ import annotations

__all__ = ["CONDITIONS", "MEANINGS", "STAGES"]

MEANINGS: dict[str, str] = {
    "rows": "Rows that the party contributed; what it held out to score its reward was not sent.",
    "epsilon": "The party put noise on its sums before it sent them: what is read from them would have been read at "
    "most exp(ε) times as often with one of its rows more or less. The smaller, the more private.",
    "privacy_cost": "By about how much the party's own data is worth less for the noise that it put on its sums; what "
    "they would have been worth without is judged from the noisy ones.",
    "value": "What the party's own data is worth, alone (vᵢ); where it put noise on its sums, what these are worth to "
    "the mediator, which can be far less than what its rows are worth to itself.",
    "gain": "What the reward is worth beyond the party's own data as it was sent, with its noise where it put any on "
    "it; its rows can be worth more to itself.",
    "shapley": "The Shapley value: what the party's data adds to the others' on average over all orders of joining. "
    "They add up to the value of all data together.",
    "alpha": "The Shapley value divided by the largest one: 1 for whoever contributed most.",
    "target": "What its reward should be worth (rᵢ).",
    "ceiling": "The most that its reward could be worth: that of its data with all synthetic rows, or the value of all "
    "data where the valuation knows no other.",
    "floor": "What the party could reach together with all that contributed no more: a stable reward is worth at least "
    "this.",
    "eta": "Variance of the noise on the others' outputs in its reward, in squared units of the target: 0 is the "
    "pool's own model, ∞ the party's own.",
    "kappa": "Power of the others' likelihood in its reward, from 0 to 1: 1 is the pool's own model, 0 the party's "
    "own. No noise was added to anything.",
    "mnlp_noise": "What the MNLP would have come to, on average, had noise of the same worth been added instead.",
    "rows_kept": "Rows that the party trained on; none of them was sent.",
    "accuracy_network": "Share of held-out labels that the network gets right, trained on its own rows alone, then "
    "with its reward; higher is better.",
    "importance": "How well the party's updates agree with all updates together, over the rounds so far.",
    "gamma": "The party's rate of reward: what its rows earn, relative to the most.",
    "others": "From how many others' updates its model learns in a round.",
    "references": "In how many rounds its model started from the mediator's reference model.",
    "reference_inputs": "Inputs of rows that it holds out, without their outputs, where predictions are valued. Each "
    "party's together have the same weight, however many they are; nothing is scored on these rows.",
    "party_noise": "Noise variance that the party's rows count with, in squared units of the target: what they show "
    "of it, or what the party declares where that is more.",
    "reached": "What the reward that was made is worth, computed from it.",
    "reached_in_carrier": "What the reward is worth in the game that it was made in, where that is not the "
    "one that says what rewards should be worth.",
    "synthetic_rows": "Synthetic rows that were drawn for it.",
    "mmd2": "Unbiased squared maximum mean discrepancy to all data, with its own rows, then with its reward; lower is "
    "better. It estimates a number near 0 and can be slightly negative.",
    "mnlp": "Mean negative log probability (nats) of outputs that it held out, with its own data, then with its "
    "reward; lower is better.",
    "rmse": "Root mean squared error on rows that it held out, in the target's units, alone, then with its reward; "
    "lower is better.",
    "coverage": "Shares of the held-out rows within the reward's central 50 % and 90 % predictive intervals; 0.50 and "
    "0.90 where it is calibrated.",
    "accuracy": "Share of held-out labels that are predicted right, with its own data, then with its reward; higher is "
    "better.",
    "accuracy_synthetic": "Share of held-out labels that a logistic regression gets right, trained on its own rows, "
    "then with its reward; higher is better.",
    "fidelity": "How alike its synthetic rows are to all pooled rows, from 0 to 1 (the same). Column shapes: the mean "
    "over columns of the KS complement (numbers) or the total-variation complement (categories, yes or no, labels). "
    "Column pair trends: the mean over pairs of the correlation similarity (two numbers) or the contingency similarity "
    "(any other two). A reward is drawn for what its party lacks, so it need not be as the pool is.",
    "tstr": "Share of held-out labels that a logistic regression gets right: trained on the party's own real rows "
    "(TRTR, train on real, test on real), then on the synthetic rows only (TSTR, train on synthetic, test on real); "
    "the nearer to TRTR, or above it, the better synthetic rows stand in for real ones.",
    "membership_auc": "How often a row that the party contributed lies nearer to a synthetic row of its reward than "
    "one that it held out, ties counting half: the AUC of telling who was in. 0.5 is chance, 1 is certain. "
    "Others' rows, which its reward was drawn for, can be easier to tell.",
    "disclosure": "How well whoever holds the reward can tell which rows of other parties it was made of, by the "
    "strongest of the attacks that were tried: how often a row that was in is scored above one that was not, ties "
    "counting half. 0.5 is chance, 1 is certain. Below, the 95 % interval over the rows. Found out on twins of the "
    "reward, each made of one half of the rows.",
    "exposed": "The same of this party's own rows, by the one of the other parties' rewards that tells most of them.",
    "attacked": "Rows of other parties that the reward was attacked with.",
    "log_loss": "Mean negative log probability (nats) given to the true class on rows that it held out, with its own "
    "data, then with its reward; lower is better.",
    "auc": "How often a held-out row of a class is given more of it than a row of another, ties counting half, with "
    "its own data, then with its reward; 0.5 is chance, 1 is best.",
    "brier": "Mean squared distance of the predicted probabilities from what came true on rows that it held out, with "
    "its own data, then with its reward; lower is better.",
    "calibration_error": "How far the reward's probabilities are from how often it was so, on average over held-out "
    "rows; 0 where its word can be taken.",
    "held_out": "Rows that the scores stand on; on few, chance decides.",
    "share_of_best": "The reward's worth divided by that of the best reward.",
    "share": "The share of the aggregated update that the party downloads in a round, layer by layer.",
    "rho": "ρ trades fairness for welfare: at 1 rewards are proportional to Shapley values, at 0 all parties get the "
    "same.",
    "rational": "ρᵣ, the largest ρ at which nobody gets less than its own data is worth, as it was sent.",
    "stable": "ρₛ, the largest ρ at which no group of parties does better by itself.",
    "welfare": "The sum of all rewards, and its share of what it could be if everybody got the most that can be given.",
    "fairness": "Jain's index of reward per Shapley value: 1 where rewards are proportional to what parties added, "
    "lower the more they are levelled.",
    "maximum": "v*, the worth of the best reward: as large as the parties' ceilings allow.",
}

CONDITIONS: dict[str, tuple[str, str]] = {
    "R1": ("non-negativity", "Nobody gets a reward of negative worth."),
    "R2": ("feasibility", "No reward is worth more than can be made for the party."),
    "R3": ("weak efficiency", "Somebody gets the most that can be given."),
    "R4": ("individual rationality", "Nobody gets less than its own data is worth, as it was sent."),
    "R5": ("fairness", "F1 to F4 hold."),
    "F1": ("uselessness", "Who adds nothing to any coalition gets nothing."),
    "F2": ("symmetry", "Parties that are interchangeable get the same."),
    "F3": ("strict desirability", "Who adds no less to every coalition and more to some gets more."),
    "F4": (
        "strict monotonicity",
        "Who comes to add more, all else the same, gets more. It compares two "
        'games, and holds for a rho that is a term of the proposal, such as scheme = "RhoShapley(rho=0.65)".',
    ),
    "R6": (
        "stability of the grand coalition",
        "No coalition is worth more than the reward of its largest contributor.",
    ),
    "R7": (
        "group welfare",
        "Everybody gets the most that can be given. Fairness is at odds with it.",
    ),
    "stability": (
        "stability (Definition 3)",
        "Every coalition has a member who would not gain by leaving with it.",
    ),
    "order": ("order of the parties", "Sampling leaves no doubt about who added more than whom."),
}
"""Title and meaning of each condition of the certificate, by name."""

STAGES: dict[str, str] = {
    "valued": "valued; nothing given yet",
    "rewarded": "rewards made, not all delivered",
    "delivered": "rewards delivered",
}
