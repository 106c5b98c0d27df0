/* tests/conformance/suites.h: tests of this program that live in files of their own. */
#ifndef BITUNE_TESTS_CONFORMANCE_SUITES_H
#define BITUNE_TESTS_CONFORMANCE_SUITES_H

void tv_is_its_definition(void);          /* reference.c     */
void foe_is_its_definition(void);         /* foe_reference.c */
void foe_suprema_are_suprema(void);
void foe_chart_is_differentiated(void);   /* foe_chart.c     */
void foe_chart_keeps_the_modulus(void);
void wrong_operators_are_found(void);     /* faults.c        */
void wrong_bounds_are_found(void);
void wrong_solutions_are_found(void);
void wrong_losses_are_found(void);
void quadratic_conforms(void);            /* closed_forms.c  */
void quadratic_is_certified(void);
void two_pixels_are_certified(void);
void maid_learns_the_quadratic(void);
void correction_improves_the_hypergradient(void);     /* learning.c      */
void maid_truly_decreases_tv(void);
void logistic_is_its_definition(void);    /* logistic.c      */
void logistic_conforms(void);
void logistic_loss_conforms(void);
void logistic_hypergradients(void);

#endif
