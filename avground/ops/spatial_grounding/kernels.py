"""Spatial grounding on a GPU, in Triton: one program a map, which reads it twice in a row, the second time from cache.

A map of 14 x 14 cells and 512 channels has 200 kB in half precision. A program first multiplies it with the queries
(or, backward, with the gradient of what was attended to), turns the products into weights (or slopes), and then sums
the map with them, walking back from where it ended; by then much of the map is in the first cache and all of it in the
second. So device memory is read once forward and once backward, and nothing of the size of the maps is written.

Products and sums are float32 whatever the maps are. Numbers that one thread writes and others read go through global
memory and a barrier; they are a few kilobytes a map. Letters: ``o_`` offsets, ``m_`` masks, ``p_`` pointers.
"""

import triton
import triton.language as tl


@triton.jit
def _tile(p_map, c, s, C: tl.constexpr, S: tl.constexpr, LARGE: tl.constexpr, AGAIN: tl.constexpr):
    """A tile (channels, cells) of a map in float32, with zeros outside; ``AGAIN`` says that it was read before."""
    p_tile = p_map + ((c.to(tl.int64) if LARGE else c)[:, None] * S + s[None, :])
    m_tile = (c[:, None] < C) & (s[None, :] < S)
    if AGAIN:
        return tl.load(p_tile, mask=m_tile, other=0.0, eviction_policy="evict_first").to(tl.float32)
    return tl.load(p_tile, mask=m_tile, other=0.0, eviction_policy="evict_last").to(tl.float32)


@triton.jit
def _combine(audio, target, PRODUCT: tl.constexpr):
    """Both weights combined, and what the threshold applies to."""
    if PRODUCT:
        value = audio * target
        judged = target
    else:
        value = audio + target
        judged = value
    return value, judged


@triton.jit
def _normalizer(p_scores, S: tl.constexpr, BS: tl.constexpr):
    """Logarithm of the sum of the exponentials of a row of scores."""
    top = -float("inf")
    total = 0.0
    for start in range(0, S, BS):
        s = start + tl.arange(0, BS)
        score = tl.load(p_scores + s, mask=s < S, other=-float("inf"))
        above = tl.maximum(top, tl.max(score, axis=0))
        total = total * tl.exp(top - above) + tl.sum(tl.exp(score - above), axis=0)
        top = above
    return top + tl.log(total)


@triton.jit
def _scored(p_scores, s, z_audio, z_target, threshold, S: tl.constexpr, PRODUCT: tl.constexpr):
    """At some cells: logarithms of what either query alone would weigh, both combined, and whether that counts."""
    m_s = s < S
    log_audio = tl.load(p_scores + s, mask=m_s, other=0.0) - z_audio
    log_target = tl.load(p_scores + S + s, mask=m_s, other=0.0) - z_target
    value, judged = _combine(tl.exp(log_audio), tl.exp(log_target), PRODUCT)
    kept = m_s & ~(judged < threshold)  # what is not a number is kept, and seen
    return log_audio, log_target, value, kept


@triton.jit(do_not_specialize=["n"])  # batches of other sizes are not compiled anew
def forward_kernel(
    p_maps, p_queries, p_rows, p_lengths, p_mean, p_attended, p_weights, p_each, p_scale, p_scores,
    n, threshold, shortest_length,
    C: tl.constexpr, S: tl.constexpr, K: tl.constexpr, BC: tl.constexpr, BS: tl.constexpr, LARGE: tl.constexpr,
    ROWS: tl.constexpr, COSINE: tl.constexpr, LENGTHS: tl.constexpr, PRODUCT: tl.constexpr, SOFTMAX: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Ground map i by queries i % n: results and letters as of ``chunked.Forward``; ``p_scores`` is room to work in."""
    i = tl.program_id(0).to(tl.int64)
    row = tl.load(p_rows + i) if ROWS else i
    p_map = p_maps + row * C * S
    p_query = p_queries + (i % n) * K * C
    p_scores += i * K * S
    p_each += i * K * S
    p_weights += i * S
    p_scale += i * S

    # Scores of every cell, and its length.
    for start in range(0, S, BS):
        s = start + tl.arange(0, BS)
        m_s = s < S
        audio = tl.zeros((BC, BS), tl.float32)  # (channels, cells): summed over channels once, at the end
        target = tl.zeros((BC, BS), tl.float32)
        square = tl.zeros((BC, BS), tl.float32)
        for first in tl.range(0, C, BC, num_stages=STAGES):
            c = first + tl.arange(0, BC)
            cells = _tile(p_map, c, s, C, S, LARGE, False)
            audio += cells * tl.load(p_query + c, mask=c < C, other=0.0)[:, None]
            if K == 2:
                target += cells * tl.load(p_query + C + c, mask=c < C, other=0.0)[:, None]
            if COSINE and not LENGTHS:
                square += cells * cells
        scale = tl.full((BS,), 1.0, tl.float32)
        if COSINE:
            if LENGTHS:
                length = tl.load(p_lengths + row * S + s, mask=m_s, other=1.0).to(tl.float32)
            else:
                length = tl.sqrt(tl.sum(square, axis=0))
                length = tl.where(length < shortest_length, 1.0, length)
            scale = 1.0 / length
            tl.store(p_scale + s, scale, mask=m_s)
        tl.store(p_scores + s, tl.sum(audio, axis=0) * scale, mask=m_s)
        if K == 2:
            tl.store(p_scores + S + s, tl.sum(target, axis=0) * scale, mask=m_s)
    tl.debug_barrier()

    # Weights: first what they are divided by, then themselves.
    z_audio = _normalizer(p_scores, S, BS)
    if K == 1:
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            weight = tl.exp(tl.load(p_scores + s, mask=s < S, other=0.0) - z_audio)
            tl.store(p_each + s, weight, mask=s < S)
            tl.store(p_weights + s, weight, mask=s < S)
    else:
        z_target = _normalizer(p_scores + S, S, BS)
        top = -float("inf")
        total = 0.0
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            m_s = s < S
            log_audio, log_target, value, kept = _scored(p_scores, s, z_audio, z_target, threshold, S, PRODUCT)
            if SOFTMAX:  # of numbers from 0 to 2: nothing can overflow
                total += tl.sum(tl.where(m_s, tl.exp(tl.where(kept, value, 0.0)), 0.0), axis=0)
            elif PRODUCT:  # in logarithms, where no product underflows
                joint = tl.where(kept, log_audio + log_target, -float("inf"))
                above = tl.maximum(top, tl.max(joint, axis=0))
                base = tl.where(above == -float("inf"), 0.0, above)
                total = total * tl.exp(top - base) + tl.sum(tl.exp(joint - base), axis=0)
                top = above
            else:
                total += tl.sum(tl.where(kept, value, 0.0), axis=0)
        base = tl.where(top == -float("inf"), 0.0, top)
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            m_s = s < S
            log_audio, log_target, value, kept = _scored(p_scores, s, z_audio, z_target, threshold, S, PRODUCT)
            if SOFTMAX:
                value = tl.exp(tl.where(kept, value, 0.0))
            elif PRODUCT:
                value = tl.where(kept, tl.exp(log_audio + log_target - base), 0.0)
            else:
                value = tl.where(kept, value, 0.0)
            weight = tl.where(total == 0.0, 1.0 / S, value / tl.where(total == 0.0, 1.0, total))
            tl.store(p_each + s, tl.exp(log_audio), mask=m_s)
            tl.store(p_each + S + s, tl.exp(log_target), mask=m_s)
            tl.store(p_weights + s, weight, mask=m_s)
    tl.debug_barrier()

    # Both poolings, from the last channel back to the first.
    LAST: tl.constexpr = (C - 1) // BC * BC
    for back in tl.range(0, C, BC, num_stages=STAGES):
        c = LAST - back + tl.arange(0, BC)
        mean = tl.zeros((BC,), tl.float32)
        attended = tl.zeros((BC,), tl.float32)
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            cells = _tile(p_map, c, s, C, S, LARGE, True)
            pooling = tl.load(p_weights + s, mask=s < S, other=0.0)
            if COSINE:
                pooling *= tl.load(p_scale + s, mask=s < S, other=0.0)
            mean += tl.sum(cells, axis=1)
            attended += tl.sum(cells * pooling[None, :], axis=1)
        tl.store(p_mean + i * C + c, mean / S, mask=c < C)
        tl.store(p_attended + i * C + c, attended, mask=c < C)


@triton.jit
def _shares(
    p_each, p_weights, p_pulls, p_gradient, s, pulled, total, threshold,
    S: tl.constexpr, PRODUCT: tl.constexpr, SOFTMAX: tl.constexpr,
):  # fmt: skip
    """What the gradient of the scores of either query is made of at some cells, and what it alone would weigh them."""
    m_s = s < S
    weight = tl.load(p_weights + s, mask=m_s, other=0.0)
    gradient = tl.load(p_pulls + s, mask=m_s, other=0.0) + tl.load(p_gradient + s, mask=m_s, other=0.0)
    audio = tl.load(p_each + s, mask=m_s, other=0.0)
    target = tl.load(p_each + S + s, mask=m_s, other=0.0)
    value, judged = _combine(audio, target, PRODUCT)
    share = gradient - pulled
    if SOFTMAX or PRODUCT:
        share *= weight
    else:
        share /= total
    share = tl.where(m_s & ~(judged < threshold), share, 0.0)
    if PRODUCT:
        if SOFTMAX:
            share *= value
        share_audio = share
        share_target = share
    else:
        share_audio = share * audio
        share_target = share * target
    return share_audio, share_target, audio, target


@triton.jit
def backward_kernel(
    p_maps, p_rows, p_weights, p_each, p_scale, p_attended_gradient, p_weights_gradient,
    p_query_gradient, p_slopes, p_pulls, threshold,
    C: tl.constexpr, S: tl.constexpr, K: tl.constexpr, BC: tl.constexpr, BS: tl.constexpr, LARGE: tl.constexpr,
    ROWS: tl.constexpr, COSINE: tl.constexpr, PRODUCT: tl.constexpr, SOFTMAX: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Gradients of map i's queries and scores; results as of ``chunked.Backward``."""
    i = tl.program_id(0).to(tl.int64)
    row = tl.load(p_rows + i) if ROWS else i
    p_map = p_maps + row * C * S
    p_attended_gradient += i * C
    p_query_gradient += i * K * C
    p_each += i * K * S
    p_slopes += i * K * S
    p_weights += i * S
    p_weights_gradient += i * S
    p_scale += i * S
    p_pulls += i * S

    # How much the loss pulls at every weight.
    pulled = 0.0
    for start in range(0, S, BS):
        s = start + tl.arange(0, BS)
        m_s = s < S
        pull = tl.zeros((BC, BS), tl.float32)
        for first in tl.range(0, C, BC, num_stages=STAGES):
            c = first + tl.arange(0, BC)
            gradient = tl.load(p_attended_gradient + c, mask=c < C, other=0.0)
            pull += _tile(p_map, c, s, C, S, LARGE, False) * gradient[:, None]
        pulls = tl.sum(pull, axis=0)
        if COSINE:
            pulls *= tl.load(p_scale + s, mask=m_s, other=0.0)
        tl.store(p_pulls + s, pulls, mask=m_s)
        gradient = tl.load(p_weights_gradient + s, mask=m_s, other=0.0)
        pulled += tl.sum(tl.load(p_weights + s, mask=m_s, other=0.0) * (pulls + gradient), axis=0)
    tl.debug_barrier()

    # Slopes: gradients of the scores.
    if K == 1:
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            m_s = s < S
            gradient = tl.load(p_pulls + s, mask=m_s, other=0.0) + tl.load(p_weights_gradient + s, mask=m_s, other=0.0)
            tl.store(p_slopes + s, tl.load(p_weights + s, mask=m_s, other=0.0) * (gradient - pulled), mask=m_s)
    else:
        total = 1.0
        if not (SOFTMAX or PRODUCT):
            total = 0.0
            for start in range(0, S, BS):
                s = start + tl.arange(0, BS)
                audio = tl.load(p_each + s, mask=s < S, other=0.0)
                value, judged = _combine(audio, tl.load(p_each + S + s, mask=s < S, other=0.0), PRODUCT)
                total += tl.sum(tl.where((s < S) & ~(judged < threshold), value, 0.0), axis=0)
            total = tl.where(total == 0.0, 1.0, total)
        sum_audio = 0.0
        sum_target = 0.0
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            share_audio, share_target, _a, _t = _shares(
                p_each, p_weights, p_pulls, p_weights_gradient, s, pulled, total, threshold, S, PRODUCT, SOFTMAX
            )
            sum_audio += tl.sum(share_audio, axis=0)
            sum_target += tl.sum(share_target, axis=0)
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            share_audio, share_target, audio, target = _shares(
                p_each, p_weights, p_pulls, p_weights_gradient, s, pulled, total, threshold, S, PRODUCT, SOFTMAX
            )
            tl.store(p_slopes + s, share_audio - audio * sum_audio, mask=s < S)
            tl.store(p_slopes + S + s, share_target - target * sum_target, mask=s < S)
    tl.debug_barrier()

    # Gradients of the queries: the map summed with the slopes, from the last channel back to the first.
    LAST: tl.constexpr = (C - 1) // BC * BC
    for back in tl.range(0, C, BC, num_stages=STAGES):
        c = LAST - back + tl.arange(0, BC)
        audio = tl.zeros((BC,), tl.float32)
        target = tl.zeros((BC,), tl.float32)
        for start in range(0, S, BS):
            s = start + tl.arange(0, BS)
            cells = _tile(p_map, c, s, C, S, LARGE, True)
            scale = tl.full((BS,), 1.0, tl.float32)
            if COSINE:
                scale = tl.load(p_scale + s, mask=s < S, other=0.0)
            slope = tl.load(p_slopes + s, mask=s < S, other=0.0) * scale
            audio += tl.sum(cells * slope[None, :], axis=1)
            if K == 2:
                slope = tl.load(p_slopes + S + s, mask=s < S, other=0.0) * scale
                target += tl.sum(cells * slope[None, :], axis=1)
        tl.store(p_query_gradient + c, audio, mask=c < C)
        if K == 2:
            tl.store(p_query_gradient + C + c, target, mask=c < C)
