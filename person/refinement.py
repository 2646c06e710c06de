"""How queries are ranked: by similarity alone, with expanded queries, re-ranked, or both."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from everyid.device import Device
from everyid.output import Stop, notice, progress
from person.crops import own_rows
from person.embeddings import Embeddings
from person.expansion import expand
from person.match import TopK, top_k
from person.metrics import Ranking, Truth, evaluate_blocks, evaluate_ranking
from person.rerank import Reranked, k_reciprocal, pair_similarities

__all__ = ["Ranked", "Refinement"]

_K1, _K2, _ORIGINAL_SHARE = 20, 6, 0.3


@dataclass(frozen=True, slots=True)
class Refinement:
    """What is done beyond comparing each query with each gallery row.

    Args:
        expand_query: Gallery rows that are averaged into each query first; 0: none.
        rerank: Whether the ranks are those of k-reciprocal encoding.
        device: Where scores are computed; None: the CPU.
        stop: Ends a re-ranking under way.
    """

    expand_query: int = 0
    rerank: bool = False
    device: Device | None = None
    stop: Stop | None = None

    @property
    def summary(self) -> str:
        """What is done, for the protocol line; "none" for nothing.

        >>> Refinement(expand_query=5, rerank=True).summary
        'queries expanded by 5, k-reciprocal re-ranking, k1 20, k2 6, lambda 0.3'
        """
        parts = [f"queries expanded by {self.expand_query}"] if self.expand_query else []
        if self.rerank:
            parts.append(f"k-reciprocal re-ranking, k1 {_K1}, k2 {_K2}, lambda {_ORIGINAL_SHARE:g}")
        return ", ".join(parts) or "none"

    def rank(self, query: Embeddings, gallery: Embeddings | None) -> "Ranked":
        """The ranking of queries in a gallery, or of a set in itself (no gallery).

        Args:
            query: The queries. One whose own file is in the gallery does not find it.
            gallery: The gallery of the same model, or None.
        """
        if gallery is None:
            return Ranked(self, query.vectors)
        return Ranked(self, query.vectors, gallery.vectors, own_rows(query.crops, gallery.crops))


class Ranked:
    """Queries with their gallery; what is costly is done once, when it is first asked for.

    Expansion and re-ranking see every row, whatever its labels are; a protocol leaves rows out
    when the ranks are counted.

    Args:
        how: What is done.
        query: float32 (Q, D), of length 1.
        gallery: float32 (G, D), of length 1; None: every query's gallery are the others.
        own: int64 (Q,), the gallery row that is the query itself, or -1; None: none is. Of no
            account without a gallery.
    """

    def __init__(
        self,
        how: Refinement,
        query: NDArray[np.float32],
        gallery: NDArray[np.float32] | None = None,
        own: NDArray[np.int64] | None = None,
    ) -> None:
        self.how = how
        self._plain = query
        self._alone = gallery is None
        self._gallery = query if gallery is None else gallery
        self.own = np.arange(len(query), dtype=np.int64) if gallery is None else own

    def top_k(self, k: int) -> TopK:
        """The k best gallery rows of each query, best first, the query itself left out.

        Args:
            k: Ranks wanted, at least 1.

        Returns:
            The rows with the cosine similarities of the vectors as they were given: what ranks
            expanded or re-ranked matches is another number, and similarities may rise again.

        Raises:
            ShapeError: No gallery row is left.
        """
        if self.how.rerank:
            top = self._reranked.top_k(k, exclude=self.own)
        else:
            top = top_k(self._query, self._gallery, k=k, device=self.how.device, exclude=self.own)
        if not self.how.expand_query:
            return top
        rows = np.repeat(np.arange(len(top.indices)), top.indices.shape[1])
        values = pair_similarities(self._plain, rows, self._gallery, top.indices.ravel())
        return TopK(top.indices, values.reshape(top.indices.shape))

    def measure(
        self,
        queries: NDArray[np.int64],
        gallery: NDArray[np.int64],
        *,
        truth: Truth,
        max_rank: int,
    ) -> Ranking:
        """CMC, AP and INP of some queries among some gallery rows.

        Args:
            queries: int64, which queries.
            gallery: int64, which gallery rows.
            truth: Their labels.
            max_rank: The length of the CMC.

        Raises:
            InputError: No query has a match.
        """
        if not self.how.rerank:
            return evaluate_ranking(
                self._query[queries],
                self._gallery[gallery],
                truth=truth,
                max_rank=max_rank,
                device=self.how.device,
            )

        def block(rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return -self._reranked.distances(queries[rows])[:, gallery]

        return evaluate_blocks(block, (len(queries), len(gallery)), truth, max_rank)

    @cached_property
    def _query(self) -> NDArray[np.float32]:
        if not self.how.expand_query:
            return self._plain
        return expand(
            self._plain,
            self._gallery,
            count=self.how.expand_query,
            exclude=self.own,
            device=self.how.device,
        )

    @cached_property
    def _reranked(self) -> Reranked:
        # Expanded queries are rows beside those of the gallery, which are not expanded.
        gallery = None if self._alone and not self.how.expand_query else self._gallery
        rows = len(self._query) + (0 if gallery is None else len(gallery))
        with progress("re-ranking", rows) as advance:

            def step(count: int) -> None:
                advance(count)
                if self.how.stop is not None and self.how.stop.requested:
                    notice("interrupted while re-ranking: nothing is written")
                    raise KeyboardInterrupt

            return k_reciprocal(
                self._query,
                gallery,
                k1=_K1,
                k2=_K2,
                original_share=_ORIGINAL_SHARE,
                device=self.how.device,
                advance=step,
            )
