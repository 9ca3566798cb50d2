/* A layer of linear attention, folded. Its answer is y_j = sum over rows s of (q(x)'k(z_s)) v_j(z_s), where queries,
 * keys and values are linear in x and z = (a, b) but for constants: for each x a linear map of the rows' second
 * moments. The map is computed once from the loaded weights; then a problem costs its moments, whatever m is. Products
 * of weights that are roundings beside the largest (a trained model is full of them) are left out. A model is folded
 * only if its answers to random data are those of the map, and it has one: all others are asked row by row (respond.c).
 */
#ifndef LSQ_SOLVE_FOLD_H
#define LSQ_SOLVE_FOLD_H

#include "solve/lanes.h"
#include "solve/solver.h"

/* Terms weight * sum_i left_i right_i, by the list that each belongs to: first[list] .. first[list+1]-1. */
typedef struct {
  int64_t *first, *left, *right;
  double *weight;
} lsq_fold_terms;

struct lsq_fold {
  lsq_fold_terms system; /* list j D + k: what x_k adds to answer j, from columns left and right of A */
  lsq_fold_terms side;   /* list j: what answer j lacks without b, from column left of A and b */
  lsq_plan plan, side_plan;
  int64_t *first, *source; /* of both plans, and their weights */
  double *weight, *moments;
  int64_t firsts, sources, weights, moments_capacity;
};

/* Folds the solver's model into solver->fold, if it can be; NULL else. */
lsqnet_status lsq_fold_create(lsqnet_solver *solver);

/* One with its leader's terms, if that has a fold. */
lsqnet_status lsq_fold_share(lsqnet_solver *solver);
void lsq_fold_destroy(lsqnet_solver *solver);

/* Makes fold->plan what lsq_gram finds for n unknowns, column block by column block, and side_plan lsq_gram_rhs; and
 * room for the moments that these start from. */
lsqnet_status lsq_fold_plan(lsqnet_solver *solver, int64_t n);

/* Frees these. */
void lsq_fold_forget(lsqnet_solver *solver);

/* lsq_gram and lsq_gram_rhs of a folded model. */
lsqnet_status lsq_fold_gram(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda, double *G,
                            int64_t ldg);
lsqnet_status lsq_fold_gram_rhs(lsqnet_solver *solver, int64_t m, int64_t n, const double *A, int64_t lda,
                                const double *b, double *c);

#endif
