/* lsqnet export: everything but the weights. */
#include <math.h>
#include <string.h>

#include "error.h"
#include "export.h"

static const char *real_name(const export_model *e) { return e->options.dtype == LSQNET_F32 ? "float" : "double"; }

static int is_iterate(const export_model *e) { return e->step.output != LSQNET_OUTPUT_GRADIENT; }

static const char *libm_calls(const export_model *e) {
  static const char *const names[] = {"",     "exp",          "sqrt",          "exp and sqrt",
                                      "erfc", "exp and erfc", "sqrt and erfc", "exp, sqrt and erfc"};
  const int exps = (e->mixer == MIXER_ATTENTION && e->softmax) || e->options.mlp == LSQNET_MLP_GLU;
  return names[exps + 2 * e->norms + 4 * (e->options.mlp == LSQNET_MLP_GELU)];
}

static void write_about(FILE *out, const export_model *e) {
  const lsqnet_model_options *o = &e->options;
  fprintf(out, "/* %s: %s, written by lsqnet %s. C99, in one file: no memory is allocated, nothing is static but\n",
          e->name, strrchr(e->source, '/') == NULL ? e->source : strrchr(e->source, '/') + 1, lsqnet_version());
  fprintf(out, " * the weights, and %s%s.\n", e->calls_libm ? "of libm it calls only " : "it needs nothing but + and *",
          libm_calls(e));
  fprintf(out,
          " *\n * With -ffp-contract=off its results are, bit for bit, those of the library on its kernel level\n");
  fprintf(out, " * \"generic\" of x86-64%s.\n", o->width > 192 ? ", but for roundings in products wider than 192" : "");
  fprintf(out, " *\n * Another file gets the declarations alone by\n *\n *   #define %s_DECLARATIONS\n", e->upper);
  fprintf(out, " *   #include \"%s.c\" */\n", e->name);
}

static void declare_forward(FILE *out, const export_model *e) {
  const char *real = real_name(e);
  fprintf(
      out,
      "/* y (count,%lld) = model(x), x (rows,%lld): the rows first .. first+count-1 of the output of a sequence of\n",
      (long long)e->options.out_width, (long long)e->options.in_width);
  fprintf(out, " * 1 to %s_ROWS rows. `work` holds %s_WORK numbers. Nothing is checked. */\n", e->upper, e->upper);
  fprintf(out, "void %s_forward(int rows, int first, int count, const %s *x, %s *y, %s *work)", e->name, real, real,
          real);
}

static void declare_iterate(FILE *out, const export_model *e) {
  const char *real = real_name(e);
  const lsqnet_model_step *s = &e->step;
  fprintf(out, "/* Solves A x = b by `steps` calls of the model, ");
  if (is_iterate(e))
    fprintf(out, "each of which takes x to %s.\n",
            s->output == LSQNET_OUTPUT_SOLUTION ? "the solution" : "the iterate that it was trained on");
  else
    fprintf(out, "x <- x - step g(x) with its gradient g = A'(A x - b)/%lld.\n", (long long)s->rows);
  fprintf(
      out,
      " * A (%lld,%lld) row-major, b (%lld), x (%lld) the start and the result; fewer equations or unknowns: zeros.\n",
      (long long)s->rows, (long long)s->dim, (long long)s->rows, (long long)s->dim);
  if (s->output == LSQNET_OUTPUT_ITERATE)
    fprintf(out, " * An iterate is %lld of x <- x - %.17g A'(A x - b)/%lld: scale A so that these converge.\n",
            (long long)s->iterates, s->step, (long long)s->rows);
  fprintf(out, " * `work` holds %s_WORK numbers. */\n", e->upper);
  fprintf(out, "void %s_iterate(const %s *a, const %s *b, %s%s%sint steps, %s *x, %s *work)", e->name, real, real,
          is_iterate(e) ? "" : real, is_iterate(e) ? "" : " step, ", "", real, real);
}

static void write_declarations(FILE *out, const export_model *e) {
  fprintf(out, "#ifndef %s_H\n#define %s_H\n\n", e->upper, e->upper);
  fprintf(out, "#define %s_ROWS %lld\n#define %s_WORK %lld\n\n", e->upper, (long long)e->options.rows, e->upper,
          (long long)e->work);
  fprintf(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  declare_forward(out, e);
  fprintf(out, ";\n");
  if (e->prompt_rows > 0) {
    fprintf(out, "\n");
    declare_iterate(out, e);
    fprintf(out, ";\n");
  }
  fprintf(out, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n\n");
}

static void define_libm(FILE *out, const export_model *e) {
  const char *suffix = e->options.dtype == LSQNET_F32 ? "f" : "";
  if (!e->calls_libm) return;
  fprintf(out, "#include <math.h>\n\n#define EXP exp%s\n#define SQRT sqrt%s\n#define ERFC erfc%s\n", suffix, suffix,
          suffix);
  fprintf(out, "#define EPSILON 1e-5%s\n#define SQRT_HALF 0.70710678118654752440%s\n\n", suffix, suffix);
}

static void define_sizes(FILE *out, const export_model *e) {
  const lsqnet_model_options *o = &e->options;
  const int64_t head = e->mixer == MIXER_ATTENTION ? o->width / e->heads : 1;
  fprintf(out, "typedef %s real;\n\nenum {\n", real_name(e));
  fprintf(out, "  ROWS = %lld, IN = %lld, OUT = %lld, WIDTH = %lld,\n", (long long)o->rows, (long long)o->in_width,
          (long long)o->out_width, (long long)o->width);
  fprintf(out, "  CAUSAL = %d", e->causal);
  if (e->mixer == MIXER_ATTENTION) fprintf(out, ", HEADS = %lld, HEAD = %lld", (long long)e->heads, (long long)head);
  if (e->mixer == MIXER_BASE_CONV) fprintf(out, ", CIRCULAR = %d", e->filter != FILTER_SHORT && !e->causal);
  if (o->mlp != LSQNET_MLP_NONE) fprintf(out, ", HIDDEN = %lld", (long long)(o->width * o->mlp_factor));
  fprintf(out, "\n};\n\n");
  if (e->mixer != MIXER_ATTENTION) return;
  if (o->dtype == LSQNET_F32)
    fprintf(out, "#define SCALE %af /* 1 / sqrt(HEAD) */\n\n", (double)(1 / sqrtf((float)head)));
  else
    fprintf(out, "#define SCALE %a /* 1 / sqrt(HEAD) */\n\n", 1 / sqrt((double)head));
}

static void write_parts(FILE *out, const export_model *e) {
  static const char *const mixers[] = {part_attention, part_base_conv, part_identity};
  static const char *const mlps[] = {"", part_relu, part_gelu, part_glu};
  const int mlp = e->options.mlp;
  fprintf(out, "%s\n", part_linear);
  if (e->norms) fprintf(out, "%s\n", part_norm);
  if (e->options.layers == 0) return;
  if (e->mixer == MIXER_ATTENTION) fprintf(out, "%s\n", e->softmax ? part_weigh_softmax : part_weigh_linear);
  fprintf(out, "%s\n", mixers[e->mixer]);
  if (mlp != LSQNET_MLP_NONE) fprintf(out, "%s%s\n", part_mlp, mlps[mlp]);
}

/* A field of a table of pointers, `.field = blocks_I_..., ` */
static void write_field(FILE *out, const export_model *e, int64_t block, const char *field, const char *parameter) {
  char name[EXPORT_TEXT];
  fprintf(out, "  .%s = %s,\n", field, export_table(e, block, parameter, name));
}

static int write_mixer_weights(FILE *out, const export_model *e, int64_t block) {
  int64_t low = 0, high = 0;
  fprintf(out, "static const mixer_weights mixer_%lld = {\n", (long long)block);
  if (e->mixer == MIXER_ATTENTION) {
    write_field(out, e, block, "qkv", "mixer.qkv.weight");
    write_field(out, e, block, "qkv_bias", "mixer.qkv.bias");
  } else if (e->mixer == MIXER_BASE_CONV) {
    if (export_lags(e, block, &low, &high) != CODE_DONE) return CODE_OTHER;
    write_field(out, e, block, "branch", "mixer.branch.weight");
    write_field(out, e, block, "gate", "mixer.gate.weight");
    write_field(out, e, block, "gate_bias", "mixer.gate.bias");
    write_field(out, e, block, "in", "mixer.in_proj.weight");
    write_field(out, e, block, "in_bias", "mixer.in_proj.bias");
    write_field(out, e, block, "filter_bias", "mixer.filter.bias");
    fprintf(out, "  .filter = blocks_%lld_mixer_filter,\n  .low = %lld,\n  .high = %lld,\n", (long long)block,
            (long long)low, (long long)high);
  }
  if (e->mixer != MIXER_IDENTITY) {
    write_field(out, e, block, "out", "mixer.out_proj.weight");
    write_field(out, e, block, "out_bias", "mixer.out_proj.bias");
  } else {
    fprintf(out, "  0\n");
  }
  fprintf(out, "};\n\n");
  return CODE_DONE;
}

static void write_mlp_weights(FILE *out, const export_model *e, int64_t block) {
  fprintf(out, "static const mlp_weights mlp_%lld = {\n", (long long)block);
  write_field(out, e, block, "up", "mlp.up.weight");
  write_field(out, e, block, "up_bias", "mlp.up.bias");
  write_field(out, e, block, "gate", "mlp.gate.weight");
  write_field(out, e, block, "value", "mlp.value.weight");
  write_field(out, e, block, "down", "mlp.down.weight");
  write_field(out, e, block, "down_bias", "mlp.down.bias");
  fprintf(out, "};\n\n");
}

/* norm(rows, from, ...) into `spare` where the model has that LayerNorm; returns what comes out. */
static const char *write_norm(FILE *out, const export_model *e, int64_t block, const char *name, const char *rows,
                              const char *from) {
  char weight[EXPORT_TEXT], bias[EXPORT_TEXT], parameter[EXPORT_TEXT];
  snprintf(parameter, sizeof parameter, "%s.weight", name);
  const char *w = export_table(e, block, parameter, weight);
  snprintf(parameter, sizeof parameter, "%s.bias", name);
  const char *b = export_table(e, block, parameter, bias);
  if (strcmp(w, "0") == 0) return from;
  fprintf(out, "  norm(%s, %s, %s, %s, n);\n", rows, from, w, b);
  return "n";
}

/* A block takes the rows from `*u` and leaves its output in `*u` or, exchanging them, in `*v`. */
static void write_block(FILE *out, const export_model *e, int64_t block, const char **u, const char **v) {
  const int last = block == e->options.layers - 1, residual = e->options.residual;
  const char *count = last ? "count" : "rows", *x = write_norm(out, e, block, "norm_1", "rows", *u);
  fprintf(out, "  mix(&mixer_%lld, rows, %s, %s, %s, %s, work);\n", (long long)block, last ? "first" : "0", count, x,
          *v);
  if (residual) fprintf(out, "  add(%s * WIDTH, %s%s, %s);\n", count, *u, last ? " + first * WIDTH" : "", *v);
  if (e->options.mlp == LSQNET_MLP_NONE) {
    const char *other = *u;
    *u = *v;
    *v = other;
    return;
  }
  x = write_norm(out, e, block, "norm_2", count, *v);
  fprintf(out, "  mlp(&mlp_%lld, %s, %s, %s, work);\n", (long long)block, count, x, *u);
  if (residual) fprintf(out, "  add(%s * WIDTH, %s, %s);\n", count, *v, *u);
}

static void write_forward(FILE *out, const export_model *e) {
  const char *u = "u", *v = "v";
  declare_forward(out, e);
  fprintf(out, " {\n  real *u = work, *v = u + ROWS * WIDTH");
  if (e->norms) fprintf(out, ", *n = v + ROWS * WIDTH");
  fprintf(out, ";\n  work = %s + ROWS * WIDTH;\n", e->norms ? "n" : "v");
  fprintf(out, "  linear(rows, IN, WIDTH, x, read_in_weight, read_in_bias, u);\n");
  fprintf(out, "  add(rows * WIDTH, positions_weight, u);\n");
  for (int64_t i = 0; i < e->options.layers; i++) write_block(out, e, i, &u, &v);
  if (e->options.layers == 0) u = "u + first * WIDTH";
  u = write_norm(out, e, -1, "final_norm", "count", u);
  fprintf(out, "  linear(count, WIDTH, OUT, %s, read_out_weight, read_out_bias, y);\n  (void)work;\n}\n", u);
}

static void define_prompt(FILE *out, const export_model *e) {
  const lsqnet_model_step *s = &e->step;
  const int first = strcmp(s->prompt, "query_first") == 0, every = strcmp(s->prompt, "repeat") == 0;
  const int own = every || strcmp(s->prompt, "split") == 0;
  const int64_t last = e->prompt_rows - 1;
  fprintf(out, "\nenum {\n  EQUATIONS = %lld, UNKNOWNS = %lld, PROMPT_ROWS = %lld, FIRST_EQUATION = %d,\n",
          (long long)s->rows, (long long)s->dim, (long long)e->prompt_rows, first);
  fprintf(out, "  FIRST_QUERY = %lld, LAST_QUERY = %lld, QUERY_CHANNEL = %lld\n};\n\n",
          (long long)(first || every ? 0 : last), (long long)(first ? 0 : last), (long long)(own ? s->dim + 1 : 0));
}

static void write_iterate(FILE *out, const export_model *e) {
  define_prompt(out, e);
  fprintf(out, "%s\n", part_prompt);
  declare_iterate(out, e);
  fprintf(out,
          " {\n  real *prompt = work, *y = prompt + PROMPT_ROWS * IN;\n  int j;\n  for (; steps > 0; steps--) {\n");
  fprintf(out, "    fill(a, b, x, prompt);\n");
  fprintf(out, "    %s_forward(PROMPT_ROWS, PROMPT_ROWS - 1, 1, prompt, y, y + OUT);\n", e->name);
  fprintf(out, "    for (j = 0; j < UNKNOWNS; j++) x[j] %s;\n  }\n}\n", is_iterate(e) ? "= y[j]" : "-= step * y[j]");
}

int export_write_code(FILE *out, const export_model *e) {
  int code = CODE_DONE;
  write_about(out, e);
  write_declarations(out, e);
  fprintf(out, "#ifndef %s_DECLARATIONS\n\n", e->upper);
  define_libm(out, e);
  define_sizes(out, e);
  TRY(export_write_tables(out, e));
  write_parts(out, e);
  for (int64_t i = 0; i < e->options.layers; i++) {
    TRY(write_mixer_weights(out, e, i));
    if (e->options.mlp != LSQNET_MLP_NONE) write_mlp_weights(out, e, i);
  }
  write_forward(out, e);
  if (e->prompt_rows > 0) write_iterate(out, e);
  fprintf(out, "\n#endif\n");
done:
  return code;
}
