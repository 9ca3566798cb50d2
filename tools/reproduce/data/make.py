#!/usr/bin/env python3
"""Writes real_data.txt from the sets in this folder and those of NIST.

    make.py             writes it
    make.py --check     fails if it is not what is there

A set is a line `set NAME m n`, a line `exact` with the solution of its float64 problem in exact rational arithmetic,
rounded to float64, and m rows of n predictors and the response, in digits that read back as the same float64 numbers."""
import csv
import sys
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
NIST = HERE.parents[2] / "tests/data/nist"
POLYNOMIALS = {"Norris": (1, 1), "Pontius": (2, 1), "NoInt1": (1, 0), "NoInt2": (1, 0), "Longley": (1, 1),
               "Wampler1": (5, 1), "Wampler2": (5, 1), "Wampler3": (5, 1), "Wampler4": (5, 1), "Wampler5": (5, 1),
               "Filip": (10, 1)}
TABLES = {
    "diabetes": ("progression", "age sex bmi bp tc ldl hdl tch ltg glu"),
    "linnerud": ("Pulse", "Chins Situps Jumps Weight Waist"),
    "stackloss": ("STACKLOSS", "AIRFLOW WATERTEMP ACIDCONC"),
    "macrodata": ("realgdp", "year realcons realinv realgovt realdpi cpi m1 tbilrate unemp pop infl realint"),
    "ccard": ("AVGEXP", "AGE INCOME INCOMESQ OWNRENT"),
    "cpunish": ("EXECUTIONS", "INCOME PERPOVERTY PERBLACK VC100k96 SOUTH DEGREE"),
    "copper": ("WORLDCONSUMPTION", "COPPERPRICE INCOMEINDEX ALUMPRICE INVENTORYINDEX"),
}


def polynomial(name):
    """Powers of a rounded predictor, rounded once, as a float64 solver is given them."""
    degree, intercept = POLYNOMIALS[name]
    rows, right = [], []
    for line in (NIST / f"{name}.dat").read_text(encoding="utf-8").splitlines()[60:]:
        cells = [float(cell) for cell in line.split()]
        if cells:
            powers = [Fraction(x) ** k for x in cells[1:] for k in range(1, degree + 1)]
            rows.append([1.0] * intercept + [p.numerator / p.denominator for p in powers])
            right.append(cells[0])
    return rows, right


def from_table(name):
    response, predictors = TABLES[name]
    with open(HERE / f"{name}.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return ([[1.0] + [float(line[p]) for p in predictors.split()] for line in lines],
            [float(line[response]) for line in lines])


def solve(rows, right):
    """The normal equations by Gauss-Jordan elimination, in rational numbers."""
    A = [[Fraction(v) for v in row] for row in rows]
    b = [Fraction(v) for v in right]
    n = len(A[0])
    M = [[sum(r[i] * r[j] for r in A) for j in range(n)] + [sum(r[i] * y for r, y in zip(A, b))] for i in range(n)]
    for i in range(n):
        pivot = next(k for k in range(i, n) if M[k][i] != 0)
        M[i], M[pivot] = M[pivot], M[i]
        for k in range(n):
            if k != i and M[k][i] != 0:
                factor = M[k][i] / M[i][i]
                M[k] = [u - factor * v for u, v in zip(M[k], M[i])]
    return [M[i][n] / M[i][i] for i in range(n)]


def text_of(number):
    text = repr(number)
    return text[:-2] if text.endswith(".0") else text


def write():
    lines = []
    for name in [*POLYNOMIALS, *TABLES]:
        rows, right = polynomial(name) if name in POLYNOMIALS else from_table(name)
        exact = [x.numerator / x.denominator for x in solve(rows, right)]
        lines.append(f"set {name} {len(rows)} {len(rows[0])}")
        lines.append(" ".join(["exact", *map(text_of, exact)]))
        lines += [" ".join(map(text_of, [*row, y])) for row, y in zip(rows, right)]
    return "\n".join(lines) + "\n"


def main():
    target, text = HERE / "real_data.txt", write()
    if "--check" not in sys.argv:
        target.write_text(text, encoding="utf-8")
    elif target.read_text(encoding="utf-8") != text:
        sys.exit(f"{target}: not what make.py writes")


if __name__ == "__main__":
    main()
