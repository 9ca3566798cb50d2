#!/usr/bin/env python3
"""Solutions of the NIST sets' float64 problems in exact rational arithmetic: the oracle of tests/test_nist.c.

    python3 exact.py > exact_solutions.txt          (in this folder; needs nothing but Python)

A line a coefficient: set, index, the exact solution rounded to 25 digits. The problem is the one that a float64 solver is
given: predictors and responses rounded to float64, powers of a rounded predictor rounded once."""
from fractions import Fraction
import os, re

SETS = {"Norris": (1, 1), "Pontius": (2, 1), "NoInt1": (1, 0), "NoInt2": (1, 0), "Longley": (1, 1),
        "Wampler1": (5, 1), "Wampler2": (5, 1), "Wampler3": (5, 1), "Wampler4": (5, 1), "Wampler5": (5, 1),
        "Filip": (10, 1)}

def rows(name):
    lines = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".dat")).read().splitlines()[60:]
    return [[float(cell) for cell in line.split()] for line in lines if line.strip()]

def rounded(value):
    return Fraction(value.numerator / value.denominator)  # Python divides integers correctly rounded

def solve(A, b):
    n = len(A[0])
    M = [[sum(r[i] * r[j] for r in A) for j in range(n)] + [sum(r[i] * y for r, y in zip(A, b))] for i in range(n)]
    for i in range(n):
        p = next(k for k in range(i, n) if M[k][i] != 0)
        M[i], M[p] = M[p], M[i]
        for k in range(n):
            if k != i and M[k][i] != 0:
                f = M[k][i] / M[i][i]
                M[k] = [u - f * v for u, v in zip(M[k], M[i])]
    return [M[i][n] / M[i][i] for i in range(n)]

def text(value):
    sign, value = ("-" if value < 0 else ""), abs(value)
    if value == 0:
        return "0"
    exponent = 0
    while value >= 10: value /= 10; exponent += 1
    while value < 1: value *= 10; exponent -= 1
    digits = str(round(value * 10 ** 24))
    if len(digits) > 25: exponent += 1
    return f"{sign}{digits[0]}.{digits[1:25]}e{exponent}"

for name, (degree, intercept) in SETS.items():
    A, b = [], []
    for row in rows(name):
        b.append(Fraction(row[0]))
        powers = [rounded(Fraction(x) ** k) for x in row[1:] for k in range(1, degree + 1)]
        A.append(([Fraction(1)] if intercept else []) + powers)
    for j, x in enumerate(solve(A, b)):
        print(name, j, text(x))
