#include "solve/lanes.h"

#include <lsqnet/context.h>

#define KERNELS(level)                                                                                              \
  void lsq_lane_pack_##level##_f64(const lsq_pack_shape *, const double *const *, double *);                        \
  void lsq_lane_pack_##level##_f32(const lsq_pack_shape *, const float *const *, double *);                         \
  void lsq_lane_copy_##level##_f64(const lsq_pack_shape *, int64_t, const double *, double *);                      \
  void lsq_lane_copy_##level##_f32(const lsq_pack_shape *, int64_t, const float *, double *);                       \
  void lsq_lane_add_row_##level##_f64(int64_t, int64_t, double, const double *, const double *, const double *,     \
                                      double *, double *);                                                          \
  void lsq_lane_subtract_product_##level##_f64(int64_t, int64_t, const double *, const double *, const double *,    \
                                               const double *, double *, double *);                                 \
  void lsq_lane_add_##level##_f64(int64_t, const double *, double *);                                               \
  void lsq_lane_weigh_##level##_f64(const lsq_packed *);                                                            \
  void lsq_lane_moments_##level##_f64(const lsq_packed *, double *);                                                \
  void lsq_lane_residual_##level##_f64(const lsq_packed *, int64_t, const double *, const double *, const double *, \
                                       double *, double *, double *);                                               \
  void lsq_lane_gradient_##level##_f64(const lsq_packed *, const double *, const double *, double *, double *);     \
  void lsq_lane_scale_##level##_f64(lsq_lane_system *, int64_t);                                                    \
  void lsq_lane_model_##level##_f64(lsq_lane_system *, const lsq_plan *);                                           \
  void lsq_lane_invert_##level##_f64(lsq_lane_system *);                                                            \
  void lsq_lane_start_##level##_f64(lsq_lane_system *, int64_t);                                                    \
  int lsq_lane_advance_##level##_f64(lsq_lane_system *, int64_t, int64_t)

#define TABLE(level, count)                                                                                \
  {                                                                                                        \
    count, lsq_lane_pack_##level##_f64, lsq_lane_pack_##level##_f32, lsq_lane_copy_##level##_f64,          \
        lsq_lane_copy_##level##_f32, lsq_lane_weigh_##level##_f64, lsq_lane_moments_##level##_f64,         \
        lsq_lane_residual_##level##_f64, lsq_lane_gradient_##level##_f64, lsq_lane_add_row_##level##_f64,  \
        lsq_lane_subtract_product_##level##_f64, lsq_lane_add_##level##_f64, lsq_lane_scale_##level##_f64, \
        lsq_lane_model_##level##_f64, lsq_lane_invert_##level##_f64, lsq_lane_start_##level##_f64,         \
        lsq_lane_advance_##level##_f64                                                                     \
  }

KERNELS(generic);
#ifdef LSQ_HAVE_X86_64_LEVELS
KERNELS(v2);
KERNELS(v3);
KERNELS(v4);
#endif

static const struct lsq_lane_kernels tables[] = {
    [LSQNET_KERNEL_GENERIC] = TABLE(generic, 2),
#ifdef LSQ_HAVE_X86_64_LEVELS
    [LSQNET_KERNEL_X86_64_V2] = TABLE(v2, 2),
    [LSQNET_KERNEL_X86_64_V3] = TABLE(v3, 4),
    [LSQNET_KERNEL_X86_64_V4] = TABLE(v4, 8),
#endif
};

const struct lsq_lane_kernels *lsq_lane_kernels_of(int32_t level) { return &tables[level]; }
