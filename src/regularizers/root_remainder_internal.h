/* regularizers/root_remainder_internal.h: how far φ' of φ(t) = √(|t|² + ν²), t ∈ ℝᵈ, is from linear, measured by the
 * energy of the step:
 *
 *   |φ'(t+s) − φ'(t) − φ″(t)s| ≤ ρ · sᵀ(φ'(t+s) − φ'(t))   for |s| ≤ radius.
 *
 * With a = (t, ν), b = (t+s, ν) ∈ ℝᵈ⁺¹, α = |a|, β = |b|, c the cosine between them and n̂ ⊥ â in their plane,
 * sᵀΔφ' = (α+β)(1−c) and the remainder is part of (c−1)â + √(1−c²)(1−β/α)n̂, hence
 *   ρ² = [1 + (1−β/α)²(1+c)/(1−c)]/(α+β)²,
 * which falls as c does. Both last components being ν, the angle is at least |ψ_a − ψ_b| with cos ψ_a = ν/α, cos ψ_b = ν/β, and
 * there ρν = cos ψ_a √(1 + sin²ψ_a + 2 sin ψ_a sin ψ_b)/(cos ψ_a + cos ψ_b) ≤ 2, rising with β. */
#ifndef BITUNE_REGULARIZERS_ROOT_REMAINDER_INTERNAL_H
#define BITUNE_REGULARIZERS_ROOT_REMAINDER_INTERNAL_H

#include <math.h>

/* ρ at |t| = size ≥ 0. */
static inline double bt_root_remainder(double size, double radius, double nu) {
  const double far = size + radius, near_root = sqrt(size * size + nu * nu), far_root = sqrt(far * far + nu * nu);
  const double sine = size / near_root, far_sine = far / far_root;
  return far_root / (near_root + far_root) * sqrt(1 + sine * (sine + 2 * far_sine)) / nu;
}

#endif
