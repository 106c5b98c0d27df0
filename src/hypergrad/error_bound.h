/* hypergrad/error_bound.h: how far an inexact hypergradient is from the exact one.
 *
 * With x̃ within ε of x̂, residual r = H(x̃)q − ∇g(x̃) and z = −J(x̃)ᵀq, let q̂ = H(x̂)⁻¹∇g(x̂). From
 *   q − q̂ = H(x̂)⁻¹ [ (H(x̂) − H(x̃)) q + r + ∇g(x̃) − ∇g(x̂) ]   and
 *   ẑ − z = −(J(x̂) − J(x̃))ᵀ q + J(x̂)ᵀ (q − q̂)
 * follows
 *   ‖ẑ − z‖ ≤ ω = V_J + (‖J(x̃)‖ + N_J) κ,   κ = (V_H + ‖r‖ + L_g ε)/μ,
 * where V_H, V_J, N_J bound the variation of H q, Jᵀq and J on the ball around x̃ (BtVariation). V_H ≤ L_H ε‖q‖,
 * V_J ≤ L_J ε‖q‖ and N_J ≤ L_J ε hold where J has a Lipschitz constant, and give the bound of Ehrhardt & Roberts 2023 in all but the use of q for H⁻¹∇g; a regularizer's own
 * variations are far smaller. */
#ifndef BITUNE_HYPERGRAD_ERROR_BOUND_H
#define BITUNE_HYPERGRAD_ERROR_BOUND_H

#include "hypergrad/upper_loss.h"
#include "lowerlevel/problem.h"

typedef struct {
  double eps;             /* bound of ‖x̃ − x̂‖                          */
  double lower_gradient;  /* ‖∇h(x̃)‖, rounding included                 */
  double residual;        /* ‖r‖                                         */
  double cross_norm;      /* ‖J(x̃)‖                                      */
  double upper_gradient;  /* ‖∇g(x̃)‖                                     */
  double upper_lipschitz; /* L_g                                         */
  BtVariation variation;  /* V_H, V_J, N_J                               */
} BtErrorTerms;

/* ω as above; infinite if μ is not positive. */
double bt_error_bound(const BtProblemConstants *constants, const BtErrorTerms *terms);

/* The share of ω due to the residual, (‖J‖ + N_J)‖r‖/μ. */
double bt_error_bound_adjoint(const BtProblemConstants *constants, const BtErrorTerms *terms);

/* ∇g(x̃)ᵀ(x̂ − x̃), with e = x̂ − x̃ and H̄ the mean of H over the segment. From 0 = ∇h(x̂) = ∇h(x̃) + H̄e follows
 *   ∇gᵀe = −qᵀ∇h(x̃) − rᵀe + qᵀ(H(x̃) − H̄)e,   |∇gᵀe + qᵀ∇h(x̃)| ≤ ‖r‖ε + min(V_H ε, K E),
 * quadratic in the accuracies where ‖∇g‖ε is linear. K is the variation's remainder and E the energy of the step: what of h
 * is not R has curvature μ at least, so that eᵀ(∇R(x̂) − ∇R(x̃)) ≤ ‖∇h(x̃)‖‖e‖ − μ‖e‖², at most E = ‖∇h(x̃)‖²/(4μ), με²/4 where ε is
 * ‖∇h(x̃)‖/μ, or its value at ‖e‖ = ε where that is smaller still. `centre` is −qᵀ∇h(x̃), `rounding` what it may be off by. */
BtInterval bt_error_along(const BtProblemConstants *constants, const BtErrorTerms *terms, double centre,
                          double rounding);

/* The closed form of Salehi et al. 2023, with global constants only:
 *   ω = c ε + ‖J‖δ/μ + L_J L_g ε²/μ,   c = L_g‖J‖/μ + L_H‖∇g‖‖J‖/μ² + L_J‖∇g‖/μ;
 * infinite where L_J is. */
double bt_error_bound_global(const BtProblemConstants *constants, const BtErrorTerms *terms);

#endif
