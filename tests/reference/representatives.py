"""Representatives one by one, every sum written out."""


def slow_representatives(vectors, keep):
    """Rows in the order they are chosen; ties by the bytes of the vectors."""
    order = sorted(range(len(vectors)), key=lambda row: vectors[row].tobytes())

    def similarity(one, other):
        return sum(float(a) * float(b) for a, b in zip(vectors[one], vectors[other], strict=True))

    chosen = []
    while len(chosen) < min(keep, len(order)):

        def covered(candidate):
            with_it = [*chosen, candidate]
            return sum(max(-1.0, *(similarity(row, one) for one in with_it)) for row in order)

        left = [row for row in order if row not in chosen]
        best = max(covered(row) for row in left)
        chosen.append(next(row for row in left if covered(row) >= best - 1e-12))
    return chosen
