/* Least-squares problems side by side in vector lanes: operations that work on all lanes alike, so that what comes out
 * for a problem does not depend on the others, nor on how many there are. Compiled for each kernel level.
 *
 *   lane_pack.c      numbers of several problems, or several rows of one, into lanes
 *   lane_products.c  sums over rows: second moments, compensated residuals and gradients
 *   lane_solve.c     what comes after the rows: the model's system, its inverse, corrections, certificates
 *
 * Every array holds one vector (`lanes` doubles) an entry; symmetric matrices are upper triangles by columns, entry
 * (i,j), i <= j, at j (j + 1) / 2 + i. */
#ifndef LSQ_SOLVE_LANES_H
#define LSQ_SOLVE_LANES_H

#include <stdint.h>

enum { LSQ_LANES_MOST = 8, LSQ_LANE_UNKNOWNS = 64, LSQ_LANE_SIDES = 8 };

static inline int64_t lsq_triangle(int64_t n) { return n * (n + 1) / 2; }

/* [A B] in lanes: column c begins at values + c stride vectors and has `rows` vectors. Rows of weight w are held as
 * 2^e times themselves, with what is left of it, w / 4^e, in `weights`, and so much times values in `weighted`. */
typedef struct {
  int64_t rows, stride, n, k;
  double *values, *weighted, *weights; /* without weights `weighted` is `values`, `weights` NULL */
  int64_t kept;      /* columns that are here, weighed, from before: 0, or n where right-hand sides take turns */
  int64_t summed;    /* columns whose moments are there: 0 or n likewise */
  const char *ahead; /* what will be packed next: memory is asked for it while moments are summed up; may be NULL */
  int64_t ahead_bytes;
} lsq_packed;

/* `lines` lines of `length` numbers, `distance` from one line's beginning to the next; in lanes, number e of line q
 * comes to vector q * line_step + e * step. */
typedef struct {
  int64_t lines, length, distance, line_step, step;
} lsq_pack_shape;

/* How the answers of a model follow from moments: entry p of its system (triangle of n) is the sum over terms
 * first[p] .. first[p+1]-1 of weight * moment[source], and A'b likewise from the true one (fold.h). */
typedef struct {
  int64_t n;
  const int64_t *first, *source;
  const double *weight;
} lsq_plan;

/* What becomes of a lane. */
enum {
  LSQ_LANE_REFUSED = 0, /* no certificate to be had here: for one-at-a-time methods */
  LSQ_LANE_WILD = 1,    /* numbers so large or small that they must be scaled first */
  LSQ_LANE_GOING = 2,   /* being refined */
  LSQ_LANE_CHECKED = 3, /* the answer stands; the next residual and gradient are its own */
  LSQ_LANE_DONE = 4
};

/* Numbers that each lane has one of. */
enum {
  LSQ_LANE_TRACE,     /* squared Frobenius norm of A */
  LSQ_LANE_BOUND,     /* a correction leaves at most this much of the error, in norm */
  LSQ_LANE_INVERSE,   /* 2-norm of R^-1, from above */
  LSQ_LANE_CONDITION, /* estimate of A's, columns at norm 1 */
  LSQ_LANE_DATA,      /* ||A|| ||x|| + ||b||, from above */
  LSQ_LANE_RESIDUAL,  /* ||b - A x||, from above */
  LSQ_LANE_CHANGE,    /* norm of the last correction */
  LSQ_LANE_LIMIT,     /* vector that compensated sums for the residual begin with; those for the gradient: `limits` */
  LSQ_LANE_SQUARE,    /* ||b - A x||^2 as summed up, in the caller's units */
  LSQ_LANE_WORST,     /* of the answer: largest relative error of a component */
  LSQ_LANE_BACKWARD,  /* its backward error */
  LSQ_LANE_NORM,      /* its residual norm, in the caller's units */
  LSQ_LANE_OPEN,      /* what else is not known of the gradient, in norm; 0 unless the sums are from a state */
  LSQ_LANE_NUMBERS
};

/* Problems at work. Scaled: columns and right-hand sides at root mean squares of 1/2 to 1 by powers of two. */
typedef struct {
  int64_t m, n, k; /* m: rows of one problem, those of a ridge included */
  int64_t terms;   /* products that each moment was summed up from by plain additions */
  double unit, tolerance, ridge;
  double rows_above; /* norms of rows as they are held may be so much above those of weighted ones: 1, with weights 2 */
  int64_t passes;    /* corrections that a first answer may get */
  int scaled;        /* the numbers have been scaled: a sum of squares is 0 of zeros only */
  double *moments;   /* (n+k): of [A B], scaled by lane_scale */
  double *inverse;   /* (n): the model's system, then the negative of its inverse */
  double *scale;     /* n + k powers of two */
  double *norms;     /* n: of the columns, scaled */
  double *rows;      /* n: of the rows of R^-1 */
  double *number;    /* LSQ_LANE_NUMBERS */
  int64_t *state;    /* one an lane */
  int64_t *corrections;
  /* of the right-hand side under way; scaled but for `point`, `sum` and `limits` */
  double *x, *x_low, *g, *d, *answer, *work; /* n each, work 2 n */
  double *point, *point_low;                 /* n: x in the caller's units, where residual and gradient are wanted */
  double *limits;                            /* n: what compensated sums of the gradient begin with */
  double *sum, *sum_low;                     /* n: A'(b - A x) in the caller's units */
} lsq_lane_system;

struct lsq_lane_kernels {
  int64_t lanes;

  void (*pack_f64)(const lsq_pack_shape *shape, const double *const *sources, double *out);
  void (*pack_f32)(const lsq_pack_shape *shape, const float *const *sources, double *out);

  /* `rows` vectors of each line, of numbers that follow each other there; zero beyond the line's length. */
  void (*copy_f64)(const lsq_pack_shape *shape, int64_t rows, const double *source, double *out);
  void (*copy_f32)(const lsq_pack_shape *shape, int64_t rows, const float *source, double *out);

  /* Weighs rows that have just been packed, but for columns kept, as their weights have. A weight that is none, or near
   * the end of the range, makes its row NaN. */
  void (*weigh)(const lsq_packed *packed);

  /* moments += those of packed, but for columns summed; its off-diagonal products of right-hand sides are not all
   * there. */
  void (*moments)(const lsq_packed *packed, double *moments);

  /* r + r_low = b - A (x + x_low) for right-hand side `side`, x_low NULL for zero; *square += r^2. Then r is weighted,
   * as r^2 has been. `limit` is 1.5 times
   * a power of two that is at least twice every |b_i| + sum_j |a_ij x_j|. */
  void (*residual)(const lsq_packed *packed, int64_t side, const double *x, const double *x_low, const double *limit,
                   double *r, double *r_low, double *square);

  /* sum + sum_low += A'(r + r_low), where sum_j began with a limit likewise for sum_i |a_ij r_i|. */
  void (*gradient)(const lsq_packed *packed, const double *r, const double *r_low, double *sum, double *sum_low);

  /* For a state (state.h): high + low = fade (high + low) + (left + left_low) right', `columns` columns of `stride`
   * numbers, a multiple of LSQ_LANES_MOST. */
  void (*add_row)(int64_t columns, int64_t stride, double fade, const double *left, const double *left_low,
                  const double *right, double *high, double *low);

  /* g + g_low -= (high + low) (x + x_low), in pairs, for the first n columns; g and g_low have `stride` numbers. */
  void (*subtract_product)(int64_t n, int64_t stride, const double *high, const double *low, const double *x,
                           const double *x_low, double *g, double *g_low);

  /* out_i = the sum of the lanes of entry i. */
  void (*add_lanes)(int64_t count, const double *in, double *out);

  /* In this order: `scale` from moments to scaled ones (where right-hand sides take turns, of the later ones' columns n
   * and on, after which only `start` and what follows it is due); `model` the system by `plan` (or the caller writes it
   * to `inverse`); `invert` its inverse, bound and condition; for each right-hand side `start`, a first answer, then,
   * while `advance` says that a lane is going or being checked, sum, sum_low and SQUARE at `point` and `advance`. */
  void (*scale)(lsq_lane_system *system, int64_t first);
  void (*model)(lsq_lane_system *system, const lsq_plan *plan);
  void (*invert)(lsq_lane_system *system);
  void (*start)(lsq_lane_system *system, int64_t side);
  int (*advance)(lsq_lane_system *system, int64_t side, int64_t pass);
};

/* The kernels of a LSQNET_KERNEL_ number. */
const struct lsq_lane_kernels *lsq_lane_kernels_of(int32_t level);

#endif
