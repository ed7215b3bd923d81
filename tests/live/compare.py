"""Distances between outcomes, and how far from Keras an engine may be.

    distances(result, reference)          {"loss": 3e-07, "before": 1e-07, "evaluate loss": ...}
    complaints(result, reference, ours)   lines of text; none is good

The rule: within 1e-5 of the reference, relative; or, where the two judges lie further apart than
that, within three times their distance. Numbers are compared one by one, arrays by their largest
element. What is no number is equal: shapes, names and their order.
"""
import numpy as np

WITHIN = 1e-5
TIMES = 3
SMALL = 1e-3   # numbers below this are compared as if they were this large
SHOWN = 32     # values kept of each prediction by `summary`


def limit(distance):
    return WITHIN if distance <= WITHIN else TIMES * distance


def number_distance(ours, reference):
    """The largest relative difference of two rows of numbers."""
    a, b = np.asarray(ours, "float64"), np.asarray(reference, "float64")
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(b), SMALL), initial=0))


def array_distance(ours, reference):
    """The largest difference, relative to the largest element; the worst of several arrays."""
    if len(ours) != len(reference):
        return float("inf")
    worst = 0.0
    for a, b in zip(ours, reference, strict=True):
        a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
        if a.shape != b.shape or not np.isfinite(a).all():
            return float("inf")
        worst = max(worst, float(np.max(np.abs(a - b), initial=0)) / max(float(np.max(np.abs(b), initial=0)), SMALL))
    return worst


def distances(result, reference, twins=False):
    """Every distance by name. Twins agree in the loss and the weights only."""
    found = {}
    for name, expected in reference["logs"].items():
        if name == "loss" or not twins:
            found[name] = number_distance(result["logs"].get(name, []), expected)
    for name, expected in reference.get("evaluate", {}).items():
        if name == "loss" or not twins:
            found[f"evaluate {name}"] = number_distance([result["evaluate"].get(name, float("nan"))], [expected])
    if "evaluate_list" in reference and not twins:
        found["evaluate list"] = number_distance(result["evaluate_list"], reference["evaluate_list"])
    found["weights"] = array_distance(result["weights"], reference["weights"])
    for part in ("before", "after"):
        if not twins:
            found[part] = array_distance(result[part], reference[part])
    return found


def unequal(result, reference):
    """Complaints about what has to be equal."""
    pairs = [("shapes of the weights", result["shapes"], reference["shapes"]),
             ("names in the logs", list(result["logs"]), list(reference["logs"])),
             ("names from evaluate", list(result.get("evaluate", {})), list(reference.get("evaluate", {})))]
    return [f"{what}: {ours}, Keras has {theirs}" for what, ours, theirs in pairs if ours != theirs]


def complaints(result, reference, judges):
    """What is wrong with a result, given the reference and the judges' distances."""
    if "error" in result:
        return [result["error"]]
    wrong = unequal(result, reference)
    for name, distance in distances(result, reference).items():
        allowed = limit(judges.get(name, 0.0))
        if not distance <= allowed:
            wrong.append(f"{name}: {distance:.1e} from Keras, allowed {allowed:.1e}{first_apart(name, result, reference, allowed)}")
    return wrong


def first_apart(name, result, reference, allowed):
    """The first step at which a row of numbers leaves the reference."""
    for step, (a, b) in enumerate(zip(result["logs"].get(name, []), reference["logs"].get(name, []), strict=False)):
        if not number_distance([a], [b]) <= allowed:
            return f"; first at step {step}: {a:.9g}, Keras has {b:.9g}"
    return ""


def summary(result):
    """A smaller outcome of the same form: the first predictions, mean and root mean square of each weight."""
    small = {key: result[key] for key in ("shapes", "logs", "evaluate", "evaluate_list") if key in result}
    for part in ("before", "after"):
        small[part] = [np.ravel(array)[:SHOWN] for array in result[part]]
    small["weights"] = [np.array([np.mean(w), np.sqrt(np.mean(np.square(w)))], "float32") for w in result["weights"]]
    return small
